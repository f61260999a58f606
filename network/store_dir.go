// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-virtnet/virtnet/internal/trust"
)

// Dir returns a store in a folder, which is made with mode 0700 when something is first saved. What is in it is acted upon with
// the rights of the program, so a folder, or a file in it, that another user than this one and root could have made or changed
// is refused, which wraps fs.ErrPermission. Several programs may use
// the same folder at the same time; their locks are those of the kernel, on one file in it, and end with the process that
// holds them. What a program was writing when it was killed is removed when the store is next listed. (On systems other than Linux the locks hold within one process only.)
func Dir(path string) Store { return Dirs(path, filepath.Join(path, runPart)) }

// Dirs is [Dir] with what need not outlive the machine, the records of what runs, in a folder of its own. A good one is in
// memory, such as /run/example: on a disk, to replace a file takes as long as to attach a guest. All programs that use the one
// folder have to use the other as well.
func Dirs(path, run string) Store { return &dir{path: folder{path: path}, run: folder{path: run}} }

type dir struct {
	path, run folder
	locks     keyedLock
	swept     sync.Once
}

// A folder is one of the two of a store. Once it is known to be nobody else's it stays so, as nobody else can replace it.
type folder struct {
	path    string
	trusted atomic.Bool
}

// look checks that the folder is nobody else's. One that is missing wraps fs.ErrNotExist.
func (f *folder) look() error { return f.trust(trust.Folder) }

// make makes the folder if it is missing.
func (f *folder) make() error {
	return f.trust(func(path string) error { return trust.Make(path, 0o700) })
}

func (f *folder) trust(check func(path string) error) error {
	if f.trusted.Load() {
		return nil
	}
	if err := check(f.path); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	f.trusted.Store(true)
	return nil
}

// runPart is how the names begin of what need not outlive the machine.
const runPart = "run"

// lockFile is the file that all locks of a folder lie on. It begins with a dot, as no name in the store does.
const lockFile = ".lock"

// place is where a name is: the folder, and the file in it.
func (d *dir) place(name string) (in *folder, file string) {
	in = &d.path
	if first, rest, _ := strings.Cut(name, "/"); first == runPart {
		in, name = &d.run, rest
	}
	return in, filepath.Join(in.path, filepath.FromSlash(name))
}

func (d *dir) Load(ctx context.Context, name string) ([]byte, error) {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return nil, err
	}
	in, file := d.place(name)
	if err := in.look(); err != nil {
		return nil, err
	}
	return trust.ReadFile(file)
}

func (d *dir) Save(ctx context.Context, name string, data []byte) error {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return err
	}
	in, file := d.place(name)
	if err := in.make(); err != nil {
		return err
	}
	folder := filepath.Dir(file)
	f, err := newTemporary(folder)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		f, err = newTemporary(folder)
	}
	if err != nil {
		return err
	}
	durable := !strings.HasPrefix(name, runPart+"/")
	err = replace(f, file, data, durable)
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	if err = errors.Join(err, f.Close()); err == nil && durable {
		err = syncFolder(folder)
	}
	return err
}

// replace puts data, by way of a temporary file, where file is. If durable it is on the disk before that.
func replace(temporary *os.File, file string, data []byte, durable bool) error {
	_, err := temporary.Write(data)
	if err == nil && durable {
		err = temporary.Sync()
	}
	if err != nil {
		return err
	}
	return rename(temporary.Name(), file)
}

// temporary is how the names of files begin that are being written.
const temporary = ".new-"

// newTemporary makes a file that nobody takes for one that was left behind, as long as it is open.
func newTemporary(folder string) (*os.File, error) {
	for {
		f, err := openFile(filepath.Join(folder, temporary+strconv.FormatUint(rand.Uint64(), 36)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ours, err := claimTemporary(f)
		if ours && err == nil {
			return f, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, errors.Join(err, os.Remove(f.Name()))
		}
	}
}

// sweep removes the files that a program was writing when it was killed.
func (d *dir) sweep() {
	for _, folder := range []string{d.path.path, d.run.path} {
		_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && strings.HasPrefix(entry.Name(), temporary) {
				removeAbandoned(path)
			}
			return nil
		})
	}
}

func (d *dir) Remove(ctx context.Context, name string) error {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return err
	}
	in, file := d.place(name)
	err := in.look()
	if err == nil {
		err = os.Remove(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *dir) List(ctx context.Context, folder string) ([]string, error) {
	if err := firstOf(ctx.Err(), checkStoreName(folder)); err != nil {
		return nil, err
	}
	in, path := d.place(folder)
	var entries []fs.DirEntry
	err := in.look()
	if err == nil {
		d.swept.Do(d.sweep)
		entries, err = os.ReadDir(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && checkStoreName(entry.Name()) == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func (d *dir) Lock(ctx context.Context, name string) (func(), error) {
	if err := checkStoreName(name); err != nil {
		return nil, err
	}
	leave, err := d.locks.lock(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := d.path.make(); err != nil {
		leave()
		return nil, err
	}
	file := filepath.Join(d.path.path, lockFile)
	unlock, err := lockRange(ctx, file, name)
	if errors.Is(err, fs.ErrNotExist) { // the folder has been removed meanwhile
		if err = os.MkdirAll(d.path.path, 0o700); err == nil {
			unlock, err = lockRange(ctx, file, name)
		}
	}
	if err != nil {
		leave()
		return nil, fmt.Errorf("store: lock %s: %w", name, err)
	}
	return func() { unlock(); leave() }, nil
}
