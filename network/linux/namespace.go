// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// errNoNamespace is that of a file which is no network namespace.
var errNoNamespace = errors.New("no network namespace")

// openNamespace opens the file of a network namespace. An empty path is the namespace of the process, which needs no
// file.
func openNamespace(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	// A file that is no namespace must not be waited for.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	kind, err := unix.IoctlRetInt(int(file.Fd()), unix.NS_GET_NSTYPE)
	if err != nil || kind != unix.CLONE_NEWNET {
		file.Close()
		return nil, fmt.Errorf("%s: %w: %w", path, errNoNamespace, fs.ErrInvalid)
	}
	return file, nil
}

// enter runs f in the backend's network namespace. Unless that is the namespace of the process, f runs in a goroutine
// of its own, locked to a thread that is inside: sockets it opens, programs it starts and files it opens below
// /proc/sys/net belong to the namespace for good. What it starts as further goroutines is outside again.
func (b *Backend) enter(f func() error) error {
	if b.ns == nil {
		return f()
	}
	return inThread(b.ns, f)
}

// inThread runs f in a namespace, in a thread of its own.
func inThread(ns *os.File, f func() error) error {
	result := make(chan error, 1)
	go func() {
		// The thread is unlocked only when it is known to be outside again; else it ends with its goroutine.
		runtime.LockOSThread()
		outside, err := inNamespace(ns, f)
		if outside {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// inNamespace moves the current thread into a namespace, runs f, and moves it back. Outside is whether the
// thread is where it was before.
func inNamespace(ns *os.File, f func() error) (outside bool, err error) {
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return true, fmt.Errorf("network namespace of this thread: %w", err)
	}
	defer unix.Close(home)
	conn, err := ns.SyscallConn()
	if err != nil {
		return true, fmt.Errorf("network namespace: %w", err)
	}
	var moved error
	if err := conn.Control(func(fd uintptr) { moved = unix.Setns(int(fd), unix.CLONE_NEWNET) }); err != nil {
		return true, fmt.Errorf("network namespace: %w", err)
	}
	if moved != nil {
		return true, fmt.Errorf("enter network namespace %s: %w", ns.Name(), moved)
	}
	err = f()
	// What f did stands, so a thread that cannot return is no error of f.
	return unix.Setns(home, unix.CLONE_NEWNET) == nil, err
}

// closeNamespace gives the namespace's file back. It goes on existing as long as others hold it.
func (b *Backend) closeNamespace() error {
	if b.ns == nil {
		return nil
	}
	if err := b.ns.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// identify names the boot of the machine and the network namespace: what was written down about another instance is gone.
func (b *Backend) identify() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("identity of the machine: %w", err)
	}
	cookie, err := b.rt.Cookie()
	if err != nil {
		return "", fmt.Errorf("identity of the network namespace: %w", err)
	}
	if cookie != 0 {
		return fmt.Sprintf("%s/%d", strings.TrimSpace(string(boot)), cookie), nil
	}
	// The number of the file is the next best: another namespace may get it when this one is gone.
	var file unix.Stat_t
	err = b.enter(func() error { return unix.Stat("/proc/thread-self/ns/net", &file) })
	if err != nil {
		return "", fmt.Errorf("identity of the network namespace: %w", err)
	}
	return fmt.Sprintf("%s/inode-%d", strings.TrimSpace(string(boot)), file.Ino), nil
}
