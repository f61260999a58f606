// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Dir returns a store in a folder, which is made with mode 0700 when something is first saved. Several programs may use
// the same folder at the same time; their locks are those of the kernel, on one file in it, and end with the process that
// holds them. (On systems other than Linux the locks hold within one process only.)
func Dir(path string) Store { return &dir{path: path} }

type dir struct {
	path  string
	locks keyedLock
}

// lockFile is the file that all locks of a folder lie on. It begins with a dot, as no name in the store does.
const lockFile = ".lock"

func (d *dir) file(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

func (d *dir) Load(ctx context.Context, name string) ([]byte, error) {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return nil, err
	}
	return os.ReadFile(d.file(name))
}

func (d *dir) Save(ctx context.Context, name string, data []byte) error {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return err
	}
	file := d.file(name)
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	durable := !strings.HasPrefix(name, "run/")
	temporary, err := writeTemporary(folder, data, durable)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, file); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if durable {
		return syncFolder(folder)
	}
	return nil
}

// writeTemporary writes data to a new file in folder, and to the disk if durable, and returns its path.
func writeTemporary(folder string, data []byte, durable bool) (path string, err error) {
	f, err := os.CreateTemp(folder, ".new-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil && durable {
		err = f.Sync()
	}
	return f.Name(), errors.Join(err, f.Close())
}

func (d *dir) Remove(ctx context.Context, name string) error {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return err
	}
	if err := os.Remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *dir) List(ctx context.Context, folder string) ([]string, error) {
	if err := firstOf(ctx.Err(), checkStoreName(folder)); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(d.file(folder))
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
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		leave()
		return nil, err
	}
	unlock, err := lockRange(ctx, filepath.Join(d.path, lockFile), name)
	if err != nil {
		leave()
		return nil, fmt.Errorf("store: lock %s: %w", name, err)
	}
	return func() { unlock(); leave() }, nil
}
