// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const threadNamespace = "/proc/thread-self/ns/net"

// A Namespace is a network namespace that belongs to one test. It starts with nothing but its loopback device, which is
// up.
type Namespace struct {
	file *os.File
	path string
}

// New makes a network namespace. It is gone when the test ends, with everything in it; programs that still run inside
// are killed and named in the log.
func New(t testing.TB) *Namespace {
	t.Helper()
	file, err := newNamespace()
	if err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	// The descriptor alone keeps the namespace: a mount would be left behind by a test that is killed.
	n := &Namespace{file: file, path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd())}
	t.Cleanup(func() {
		n.endPrograms(t)
		file.Close()
	})
	n.Run(t, func() {
		if err := loopbackUp(); err != nil {
			t.Fatalf("loopback device up: %v", err)
		}
	})
	return n
}

// Path is a file that names the namespace to any process of the same user for as long as the test runs.
func (n *Namespace) Path() string { return n.path }

// Run calls f in the test's own goroutine, on a thread that is inside the namespace. Goroutines that f starts are
// outside.
func (n *Namespace) Run(t testing.TB, f func()) {
	t.Helper()
	runtime.LockOSThread()
	home, err := unix.Open(threadNamespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(home)
		err = unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		runtime.UnlockOSThread()
		t.Fatalf("enter network namespace: %v", err)
	}
	defer func() {
		if err := unix.Setns(home, unix.CLONE_NEWNET); err != nil {
			// The thread stays locked and ends with the test.
			t.Errorf("leave network namespace: %v", err)
			return
		}
		runtime.UnlockOSThread()
	}()
	f()
}

// Command is a program that will run inside the namespace. No shell is involved.
func (n *Namespace) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + n.path, "--", name}, args...)...)
}

// Output runs a program inside the namespace and returns what it prints. A program that fails ends the test.
func (n *Namespace) Output(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := n.Command(context.Background(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Connect makes a pair of virtual Ethernet devices, both up, between two namespaces.
func Connect(t testing.TB, a, b *Namespace, nameA, nameB string) {
	t.Helper()
	a.Output(t, "ip", "link", "add", nameA, "type", "veth", "peer", "name", nameB, "netns", b.path)
	a.Output(t, "ip", "link", "set", nameA, "up")
	b.Output(t, "ip", "link", "set", nameB, "up")
}

// newNamespace makes a namespace and opens it.
func newNamespace() (*os.File, error) {
	runtime.LockOSThread()
	// The thread must not end in the namespace: the first thread of a process cannot end, and stands for the process.
	home, err := os.Open(threadNamespace)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer home.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, os.NewSyscallError("unshare", err)
	}
	file, err := os.Open(threadNamespace)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, errors.Join(err, os.NewSyscallError("setns", back))
	}
	runtime.UnlockOSThread()
	return file, err
}

func mayUnshare() error {
	file, err := newNamespace()
	if err != nil {
		return err
	}
	return file.Close()
}

func loopbackUp() error {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sock)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(sock, unix.SIOCSIFFLAGS, request)
}
