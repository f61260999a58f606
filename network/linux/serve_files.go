// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/trust"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// serverFiles is the folder of one server, RunDir/NAME. It has
//
//	dnsmasq.conf  the configuration
//	hosts         the static hosts, and
//	names         the names of addresses, where the server can read them as the user it becomes
//	leases        what was given out, kept by dnsmasq
//	log           what dnsmasq says, and the lock
//	server.json   the host.Server
//	process.json  the process, since it answers
//	ending        is there while the server is being ended
//
// The lock belongs to an open file description that the program inherits as its standard error, so it is held from
// before the fork until the program is gone, however its starter ends.
type serverFiles string

const (
	confFile    = "dnsmasq.conf"
	leaseFile   = "leases"
	hostsFile   = "hosts"
	namesFile   = "names"
	logFile     = "log"
	jsonFile    = "server.json"
	processFile = "process.json"
	endingFile  = "ending"
)

// runDirMode is that of folders in which servers that have given up root find what they may read: to be passed through, not to be
// listed.
const runDirMode = 0o711

// errServerRuns says that a lock is held.
var errServerRuns = errors.New("the server runs already")

func (b *Backend) runDir() string {
	dir := b.config.RunDir
	if dir == "" {
		dir = DefaultRunDir
	}
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// serverFiles names the folder of a server. The name has passed host.CheckID.
func (b *Backend) serverFiles(name string) serverFiles {
	return serverFiles(filepath.Join(b.runDir(), name))
}

// lookRunDir checks that RunDir is nobody else's. One that is missing is as good as an empty one.
func (b *Backend) lookRunDir() error {
	if err := trust.Folder(b.runDir()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("folder of servers: %w", err)
	}
	return nil
}

// serverNames lists the folders that can be servers.
func (b *Backend) serverNames() ([]string, error) {
	if err := b.lookRunDir(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(b.runDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && host.CheckID(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (f serverFiles) path(name string) string { return filepath.Join(string(f), name) }

// unlock gives the lock back at once. To close the file is not enough for that: a program that another goroutine starts
// at this moment has a copy of the descriptor until it executes.
func unlock(lock *os.File) {
	none := unix.Flock_t{Type: unix.F_UNLCK}
	_ = unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, &none)
	lock.Close()
}

// owned checks that the folder is nobody else's, and makes it if create is set.
func (f serverFiles) owned(create bool) error {
	if !create {
		return trust.Folder(string(f))
	}
	return trust.Make(string(f), runDirMode)
}

// lock takes the lock, and makes the folder for it if create is set. It is held until unlock, or until the file is closed
// here and in every process that inherited it. Whatever is changed in the folder is changed by who has the lock.
func (f serverFiles) lock(create bool) (*os.File, error) {
	flags := os.O_RDWR | os.O_APPEND | unix.O_NOFOLLOW
	if create {
		flags |= os.O_CREATE
	}
	for {
		var file *os.File
		err := f.owned(create)
		if err == nil {
			file, err = os.OpenFile(f.path(logFile), flags, 0o600)
		}
		if create && errors.Is(err, fs.ErrNotExist) {
			continue // Another has removed the folder in between.
		}
		if err != nil && create {
			_ = os.Remove(string(f)) // which it refuses if there is something in it
		}
		if err != nil {
			return nil, err
		}
		if err := f.lockFile(file); err != nil {
			file.Close()
			if errors.Is(err, errLockGone) {
				continue
			}
			return nil, err
		}
		return file, nil
	}
}

// errLockGone says that the file has been removed by the one who had the lock before.
var errLockGone = errors.New("the lock is gone")

func (f serverFiles) lockFile(file *os.File) error {
	if err := trust.File(file); err != nil {
		return err
	}
	want := unix.Flock_t{Type: unix.F_WRLCK}
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &want)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errServerRuns
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	held, err := file.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Lstat(file.Name()); err != nil || !os.SameFile(held, now) {
		return errLockGone
	}
	return nil
}

// openLog opens the log beside the server that writes it. A pipe in its place keeps nobody waiting.
func (f serverFiles) openLog(flags int) (*os.File, error) {
	file, err := os.OpenFile(f.path(logFile), flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := trust.File(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// locked reports whether a process has the lock, without taking it.
func (f serverFiles) locked() (bool, error) {
	file, err := f.openLog(os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	ask := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &ask); err != nil {
		return false, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return ask.Type != unix.F_UNLCK, nil
}

// render is the configuration of a server in this folder.
func (f serverFiles) render(s *host.Server) ([]byte, error) {
	files := dnsmasq.Files{Leases: f.path(leaseFile), KeepUser: !trust.MapsNobody()}
	if f.rereads() {
		files.Hosts, files.Names = f.path(hostsFile), f.path(namesFile)
	}
	return dnsmasq.Config(s, files)
}

func (f serverFiles) write(conf, leases []byte) error {
	return errors.Join(f.replace(confFile, conf), f.replace(leaseFile, leases))
}

// writeServer notes what is served.
func (f serverFiles) writeServer(s *host.Server) error {
	server, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return f.replace(jsonFile, server)
}

// replace writes a file so that it has the old content or the new at any moment. Only root can read it.
func (f serverFiles) replace(name string, data []byte) error { return f.replaceMode(name, data, 0o600) }

func (f serverFiles) replaceMode(name string, data []byte, mode os.FileMode) error {
	if err := f.prepare(name, data, mode); err != nil {
		return err
	}
	return f.put(name)
}

// prepare writes a file beside the one that it will replace, and put puts it there.
func (f serverFiles) prepare(name string, data []byte, mode os.FileMode) error {
	next := f.path(name + ".new")
	err := trust.WriteFile(next, data, 0o600)
	if err == nil && mode != 0o600 {
		err = os.Chmod(next, mode)
	}
	if err != nil {
		_ = os.Remove(next) // if it came so far
	}
	return err
}

func (f serverFiles) put(name string) error {
	next := f.path(name + ".new")
	err := os.Rename(next, f.path(name))
	if err != nil {
		_ = os.Remove(next)
	}
	return err
}

// document reads what was to be served. The second result is false if the file is not one that serve writes.
func (f serverFiles) document() (host.Server, bool) {
	var s host.Server
	data, err := trust.ReadFile(f.path(jsonFile))
	ok := err == nil && json.Unmarshal(data, &s) == nil && s.Name == filepath.Base(string(f)) && (host.Serve{Server: s}).Check() == nil
	return s, ok
}

// server reads what was to be served by a program. The second result is false if the files are not those that serve writes.
func (f serverFiles) server() (host.Server, bool) {
	s, ok := f.document()
	if !ok {
		return s, false
	}
	want, err := f.render(&s)
	if err != nil {
		return s, false
	}
	got, err := trust.ReadFile(f.path(confFile))
	return s, err == nil && bytes.Equal(want, got)
}

// readLeases reads what a server has given out. dnsmasq writes the file in place, so it is read until it comes out
// the same twice. A process of ours replaces it, and the journal then begins anew.
func (f serverFiles) readLeases() ([]host.Lease, error) {
	if _, here := f.isHere(); here {
		return f.readJournaled()
	}
	var last []byte
	for range 100 {
		data, err := trust.ReadFile(f.path(leaseFile))
		if err != nil {
			return nil, err
		}
		if len(data) > 0 && bytes.Equal(data, last) {
			break
		}
		last = data
		time.Sleep(time.Millisecond)
	}
	leases, err := dnsmasq.ParseLeases(last)
	if err != nil {
		return leases, err
	}
	return f.withJournal(leases)
}

// clear removes all files but the lock and those that are named.
func (f serverFiles) clear(keep ...string) error {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if e.Name() != logFile && !slices.Contains(keep, e.Name()) {
			errs = append(errs, os.Remove(f.path(e.Name())))
		}
	}
	return errors.Join(errs...)
}

// giveUp leaves of a start that failed what was there before: nothing, or the leases of a server that had died.
func (f serverFiles) giveUp(leases []byte) error {
	if len(leases) == 0 {
		return f.remove()
	}
	return errors.Join(f.clear(), f.replace(leaseFile, leases))
}

// remove removes the folder, whose lock the caller holds.
func (f serverFiles) remove() error {
	err := f.clear()
	if gone := os.Remove(f.path(logFile)); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	// Another may have begun to make the next server of that name.
	if gone := os.Remove(string(f)); !errors.Is(gone, fs.ErrNotExist) && !errors.Is(gone, unix.ENOTEMPTY) {
		err = errors.Join(err, gone)
	}
	return err
}
