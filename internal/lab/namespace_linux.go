// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Enter runs f on a thread that is in the network namespace of that file, and returns its error. What f opens there stays
// in that namespace; goroutines that f starts do not run in it.
func Enter(namespace string, f func() error) error {
	result := make(chan error, 1)
	go func() { result <- enter(namespace, f) }()
	return <-result
}

// enter is Enter on a goroutine of its own. Its thread is put back where it was; if that cannot be, it stays locked and
// ends with the goroutine.
func enter(namespace string, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	err = setns(namespace)
	if err == nil {
		err = f()
	}
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back)
	}
	runtime.UnlockOSThread()
	return err
}

func setns(namespace string) error {
	file, err := os.Open(namespace)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
}

// Namespace makes a network namespace of that name with its loopback up, and returns its file.
func Namespace(ctx context.Context, name string) (file string, err error) {
	if err := IP(ctx, "netns", "add", name); err != nil {
		return "", err
	}
	if err := IP(ctx, "-n", name, "link", "set", "lo", "up"); err != nil {
		return "", errors.Join(err, Remove(ctx, name))
	}
	return filepath.Join("/run/netns", name), nil
}

// Remove removes a namespace that Namespace made. What is in it goes with it.
func Remove(ctx context.Context, name string) error {
	return IP(context.WithoutCancel(ctx), "netns", "del", name)
}

// Connect makes a wire between two namespaces: a pair of virtual Ethernet devices of these names, with these addresses,
// both up.
func Connect(ctx context.Context, a, linkA, addrA, b, linkB, addrB string) error {
	for _, args := range []string{
		"-n " + a + " link add " + linkA + " type veth peer name " + linkB + " netns " + b,
		"-n " + a + " addr add " + addrA + " dev " + linkA,
		"-n " + b + " addr add " + addrB + " dev " + linkB,
		"-n " + a + " link set " + linkA + " up",
		"-n " + b + " link set " + linkB + " up",
	} {
		if err := IP(ctx, strings.Fields(args)...); err != nil {
			return err
		}
	}
	return nil
}

// IP runs the program ip. Its error has what the program said.
func IP(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
