// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A keeper ties servers to this process: they run in a process namespace of its own, whose first process waits for the
// end of a pipe that only we hold. When we end, however that is, the pipe ends, the first process ends, and with it the
// kernel ends every other.
//
// The kernel's own way, a signal at the death of the parent, is of no use here: it is forgotten when a process changes
// its user, which dnsmasq does.
type keeper struct {
	process   *process
	namespace *os.File
	pipe      *os.File
	tied      []*process
}

// enterTied is enter, and with Config.TieServers the programs that f starts end with this process.
func (b *Backend) enterTied(f func() error) error {
	if !b.config.TieServers {
		return b.enter(f)
	}
	k, err := b.servers.keeperRuns()
	if err != nil {
		return fmt.Errorf("tie servers to this process: %w", err)
	}
	return b.enter(func() error { return k.enter(f) })
}

// tie remembers a child, whose status is taken when the keeper ends.
func (s *servers) tie(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper == nil {
		return
	}
	s.keeper.tied = slices.DeleteFunc(s.keeper.tied, func(p *process) bool {
		ended, _ := p.ended(0)
		if ended {
			p.close()
		}
		return ended
	})
	if fd, err := unix.FcntlInt(uintptr(p.pidfd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
		s.keeper.tied = append(s.keeper.tied, &process{pid: p.pid, pidfd: fd})
	}
}

// keeperRuns is the keeper, which is started when it is first needed.
func (s *servers) keeperRuns() (*keeper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper != nil {
		if ended, err := s.keeper.process.ended(0); !ended && err == nil {
			return s.keeper, nil
		}
		s.keeper.end()
		s.keeper = nil
	}
	k, err := startKeeper()
	if err != nil {
		return nil, err
	}
	s.keeper = k
	return k, nil
}

func startKeeper() (*keeper, error) {
	program, err := exec.LookPath("cat")
	if err != nil {
		return nil, fmt.Errorf("no cat in PATH: %w: %w", err, errors.ErrUnsupported)
	}
	input, pipe, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, pipe.Close())
	}
	defer null.Close()
	k := &keeper{process: &process{pidfd: -1}, pipe: pipe}
	k.process.pid, err = syscall.ForkExec(program, []string{program}, &syscall.ProcAttr{
		Dir:   "/",
		Files: []uintptr{input.Fd(), null.Fd(), null.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &k.process.pidfd, Cloneflags: syscall.CLONE_NEWPID},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), pipe.Close())
	}
	if k.namespace, err = os.Open(procPath(k.process.pid, "ns", "pid")); err != nil {
		k.end()
		return nil, err
	}
	return k, nil
}

// enter runs f on a thread whose new processes are the keeper's.
func (k *keeper) enter(f func() error) error {
	// Unlocked only when the thread is known to be as before; else it ends with its goroutine.
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/pid_for_children")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Setns(int(k.namespace.Fd()), unix.CLONE_NEWPID); err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("setns", err)
	}
	err = f()
	if unix.Setns(int(home.Fd()), unix.CLONE_NEWPID) == nil {
		runtime.UnlockOSThread()
	}
	return err
}

// end ends the keeper and everything that is tied.
func (k *keeper) end() {
	k.pipe.Close()
	if k.namespace != nil {
		k.namespace.Close()
	}
	for _, p := range append(k.tied, k.process) {
		// The kernel is at it already.
		if ended, _ := p.ended(10 * time.Second); ended {
			p.reap()
		}
		p.close()
	}
}

// close ends what is tied to the backend.
func (s *servers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper != nil {
		s.keeper.end()
		s.keeper = nil
	}
}
