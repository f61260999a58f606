// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A wake is a descriptor that can be waited for beside others.
type wake struct {
	mu     sync.Mutex
	fd     int
	closed bool
}

// call wakes who waits. It may come late.
func (w *wake) call() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		_, _ = unix.Write(w.fd, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

func (w *wake) answer() {
	var count [8]byte
	_, _ = unix.Read(w.fd, count[:])
}

func (w *wake) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	unix.Close(w.fd)
}

func (s *servers) newWake() (*wake, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	w := &wake{fd: fd}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wakes == nil {
		s.wakes = map[*wake]bool{}
	}
	s.wakes[w] = true
	return w, nil
}

func (s *servers) endWake(w *wake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wakes, w)
	w.close()
}

// wakeAll tells supervisors and watchers that a server has been started or ended, or a guest associated.
func (s *servers) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.wakes {
		w.call()
	}
}
