// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"errors"
	"fmt"
	"os"
	"sync"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// kept is how many sockets wait for their next caller. More callers than that open one for the occasion.
	kept = 4
	// tries is how often a list is read that changes while it is read.
	tries = 20
	// together is how many questions are sent in one go, so that the answers fit into the socket's buffer.
	together = 32
)

// A Conn is open in one network namespace. It may be used by many goroutines: a slow removal keeps nobody waiting but
// its own caller.
type Conn struct {
	enter func(func() error) error
	// routes is the library's socket.
	routes *vnl.Handle
	// tagsAddrs is whether this kernel says who made an address.
	tagsAddrs bool

	mu     sync.Mutex
	idle   []*socket
	closed bool
}

// Open opens a connection. Enter runs a function inside the wanted network namespace; sockets are opened there and used
// from anywhere.
func Open(enter func(func() error) error) (*Conn, error) {
	c := &Conn{enter: enter, tagsAddrs: kernelAtLeast(5, 18)}
	err := enter(func() error {
		s, err := newSocket()
		if err != nil {
			return err
		}
		c.idle = append(c.idle, s)
		c.routes, err = vnl.NewHandle(unix.NETLINK_ROUTE)
		return Translate(err)
	})
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", errors.Join(err, c.Close()))
	}
	return c, nil
}

// Close closes the sockets. Those in use close when their callers are done. Closing twice is no error.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	var errs []error
	for _, s := range c.idle {
		errs = append(errs, s.close())
	}
	c.idle = nil
	if c.routes != nil {
		c.routes.Close()
	}
	return errors.Join(errs...)
}

// Cookie is the number of the network namespace, unique until the machine restarts. It is 0 if the kernel does not tell
// (before Linux 5.14).
func (c *Conn) Cookie() (uint64, error) {
	var cookie uint64
	err := c.borrow(func(s *socket) (err error) {
		cookie, err = unix.GetsockoptUint64(s.fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		if errors.Is(err, unix.ENOPROTOOPT) {
			return nil
		}
		return Translate(os.NewSyscallError("getsockopt", err))
	})
	return cookie, err
}

// borrow lends a socket to somebody who has no conversation on it.
func (c *Conn) borrow(use func(*socket) error) error {
	s, err := c.take()
	if err != nil {
		return err
	}
	defer c.give(s)
	return use(s)
}

// library is the library's socket. A closed one must not be used: the library would open another, in the namespace this
// thread happens to be in.
func (c *Conn) library() (*vnl.Handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, os.ErrClosed
	}
	return c.routes, nil
}

// take is a socket for one caller: one that waits, or a new one.
func (c *Conn) take() (s *socket, err error) {
	c.mu.Lock()
	closed := c.closed
	if n := len(c.idle); n > 0 {
		s, c.idle = c.idle[n-1], c.idle[:n-1]
	}
	c.mu.Unlock()
	if closed {
		return nil, os.ErrClosed
	}
	if s == nil {
		err = c.enter(func() (err error) { s, err = newSocket(); return err })
	}
	return s, err
}

func (c *Conn) give(s *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle) >= kept {
		_ = s.close()
		return
	}
	c.idle = append(c.idle, s)
}

// exchange has one conversation on a socket of its own.
func (c *Conn) exchange(requests []request, take func(answer)) (interrupted bool, err error) {
	s, err := c.take()
	if err != nil {
		return false, err
	}
	interrupted, err = s.exchange(requests, take)
	if err != nil {
		_ = s.close()
		return false, err
	}
	c.give(s)
	return interrupted, nil
}

// change has the kernel carry out one message.
func (c *Conn) change(r request) error {
	r.flags |= unix.NLM_F_ACK
	var refused error
	if _, err := c.exchange([]request{r}, func(a answer) { refused = a.err }); err != nil {
		return err
	}
	return refused
}

// list reads a whole list, again if it changed meanwhile. What parse does not want it answers with false.
func list[T any](c *Conn, r request, parse func(body []byte) (T, bool, error)) ([]T, error) {
	r.flags |= unix.NLM_F_DUMP
	return steady(func() (result []T, interrupted bool, err error) {
		interrupted, broken := c.exchange([]request{r}, func(a answer) {
			if err == nil {
				err = a.err
			}
			if err != nil || a.body == nil {
				return
			}
			item, wanted, parseErr := parse(a.body)
			if err = parseErr; wanted {
				result = append(result, item)
			}
		})
		return result, interrupted, errors.Join(broken, err)
	})
}

// steady reads a list until it did not change while it was read.
func steady[T any](read func() (result []T, interrupted bool, err error)) ([]T, error) {
	for range tries {
		result, interrupted, err := read()
		if err != nil {
			return nil, err
		}
		if !interrupted {
			return result, nil
		}
	}
	return nil, ErrInterrupted
}

// kernelAtLeast reports whether the running kernel has this version. One whose version cannot be read is taken for new.
func kernelAtLeast(major, minor int) bool {
	var name unix.Utsname
	var x, y int
	if unix.Uname(&name) != nil {
		return true
	}
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &x, &y); n < 2 {
		return true
	}
	return x > major || x == major && y >= minor
}
