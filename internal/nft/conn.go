// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// A Conn talks to nf_tables in one network namespace. It may be used by many goroutines, one after the other: the kernel
// does one change at a time as well.
//
// It keeps one socket until it is closed, for closing one makes the caller wait for whatever the kernel still has to
// delete.
type Conn struct {
	enter func(func() error) error

	mu     sync.Mutex
	socket *socket
	memory *memory
	// batch is the last transaction, for the next to use its place.
	batch  *batch
	closed bool
}

// New prepares a connection, which is opened when it is first used. Enter runs a function inside the wanted network
// namespace.
func New(enter func(func() error) error) *Conn { return &Conn{enter: enter, batch: &batch{}} }

// Close closes the socket. Closing twice is no error.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.socket == nil {
		return nil
	}
	s := c.socket
	c.socket = nil
	return s.close()
}

// tries is how often something is done again because the ruleset changed meanwhile.
const tries = 200

// SetFilter replaces the filter of a network in one transaction; see [host.SetFilter], which has to be checked already.
// A kernel without nf_tables wraps errors.ErrUnsupported.
func (c *Conn) SetFilter(ctx context.Context, o host.SetFilter) error {
	return c.SetFilters(ctx, []host.SetFilter{o})
}

// SetFilters is [Conn.SetFilter] for the filters of several networks, one after the other and all in one transaction: the
// kernel checks its whole table for each, so that many take it as long as one.
func (c *Conn) SetFilters(ctx context.Context, ops []host.SetFilter) error {
	thorough := false
	return c.repeat(ctx, func(s *socket) (again bool, err error) {
		next, err := c.compose(s, ops, thorough)
		if err != nil && !thorough {
			// What is remembered may be long gone.
			thorough = true
			return true, err
		}
		if next == nil || err != nil {
			return false, err
		}
		before := c.memory
		c.memory = nil
		refused, err := s.commit(c.batch)
		switch {
		case err == nil:
			next.generation++
			c.memory = next
		case errors.Is(err, unix.ERESTART):
			return true, err
		case refused:
			// Nothing was changed. Something may not be as it was taken for granted.
			c.memory = before
			again, thorough = !thorough, true
		}
		return again, err
	})
}

// compose makes the batch the transaction that carries out operations, and returns what is known when that is done, but for
// the generation; nil if there is nothing to do.
func (c *Conn) compose(s *socket, ops []host.SetFilter, thorough bool) (next *memory, err error) {
	known := c.memory
	for _, o := range ops {
		v, err := c.view(s, known, o, thorough)
		if err != nil {
			return nil, err
		}
		if next != nil {
			if v.generation != next.generation {
				return nil, rtnl.ErrInterrupted
			}
			v.follow(next)
		} else {
			c.batch.begin(v.generation)
		}
		needed, err := v.change(c.batch, o)
		if err != nil {
			return nil, err
		}
		if needed {
			next = known.after(v, o, c.batch)
			known = next
		}
	}
	if next != nil {
		c.batch.end()
	}
	return next, nil
}

// view is what a change has to go by, with as few questions as possible unless it has to be thorough.
func (c *Conn) view(s *socket, known *memory, o host.SetFilter, thorough bool) (v *view, err error) {
	if v, err = mainView(s, known, o, thorough); err != nil {
		return nil, err
	}
	for i, a := range annexes {
		if v.annexes[i] == nil && (thorough || a.concerns(o)) {
			if v.annexes[i], _, err = s.annex(i); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func mainView(s *socket, known *memory, o host.SetFilter, thorough bool) (*view, error) {
	if !thorough {
		if v, enough := known.view(o); enough {
			return v, nil
		}
		if v, enough, err := s.glance(o); enough || err != nil {
			return v, err
		}
	}
	return s.look(o.Network)
}

// few is up to how many networks are read one by one, and not by reading everything.
const few = 8

// Filters reads the filters of networks, or all if networks is nil, in the order of the networks' names. A machine without
// nf_tables has none.
func (c *Conn) Filters(ctx context.Context, networks []string) (filters []host.Filter, err error) {
	wanted := func(network string) bool { return networks == nil || slices.Contains(networks, network) }
	read := networks
	if len(networks) > few {
		read = nil
	}
	err = c.repeat(ctx, func(s *socket) (again bool, err error) {
		set, changed, err := s.ruleset(read)
		if err == nil && !changed {
			filters = set.filters(wanted)
		}
		return changed, err
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return filters, err
}

// repeat does something until nobody else was at it at the same time.
func (c *Conn) repeat(ctx context.Context, do func(*socket) (again bool, err error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last error
	for i := range tries {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := c.open()
		if err != nil {
			return err
		}
		again, err := do(s)
		if s.broken {
			c.socket = nil
			err = errors.Join(err, s.close())
		}
		if !again {
			return err
		}
		last = err
		if i > 2 {
			// Not in step with the others.
			pause(ctx, rand.N(time.Duration(i)*100*time.Microsecond))
		}
	}
	return fmt.Errorf("the ruleset changed %d times at the wrong moment: %w", tries, errors.Join(rtnl.ErrInterrupted, last))
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// open opens the socket unless it is open.
func (c *Conn) open() (*socket, error) {
	if c.closed {
		return nil, os.ErrClosed
	}
	if c.socket != nil {
		return c.socket, nil
	}
	err := c.enter(func() (err error) { c.socket, err = newSocket(); return err })
	if errors.Is(err, errors.ErrUnsupported) {
		err = fmt.Errorf("%w: %w", errNoTables, err)
	}
	return c.socket, err
}

var errNoTables = fmt.Errorf("the kernel has no nf_tables: %w", errors.ErrUnsupported)
