// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/linux"
)

// usualState is the folder of networks and ports if no other is named.
const usualState = "/var/lib/virtnet"

// A station is where commands get from what they do not find in their arguments. The zero station, but for errs, is the
// host that the program runs on.
type station struct {
	// errs is where progress and errors are told.
	errs io.Writer
	// backend and store are used instead of the host and its folder, if they are given.
	backend host.Backend
	store   network.Store
	// now and after take the place of time.Now and time.AfterFunc, if they are given.
	now   func() time.Time
	after func(time.Duration, func()) (stop func() bool)
}

// close gives back what the call has opened.
func (c *call) close() error {
	var errs []error
	for _, f := range c.closers {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// open opens the backend: the host, or what the station has.
func (c *call) open() (host.Backend, error) {
	if c.backend == nil {
		// What this program itself said to a switch would not outlive it.
		b, err := linux.Open(linux.Config{Namespace: c.netns, RunDir: c.runDir, Agent: linux.Lldpad})
		if err != nil {
			return nil, err
		}
		c.closers = append(c.closers, b.Close)
		c.backend = b
	}
	return c.backend, nil
}

// manager opens the manager of the host's networks. What is wrong with some of them is told, and it works for the others.
func (c *call) manager(ctx context.Context) (nets *network.Manager, err error) {
	b, err := c.open()
	if err != nil {
		return nil, mayNot(err)
	}
	store := c.store
	if store == nil {
		store = network.Dir(c.stateDir)
	}
	err = c.while("looking at what runs", func() (err error) {
		nets, err = network.Config{LeaveDrift: true, Tell: c.told}.Open(ctx, b, store)
		return err
	})
	if err != nil && (nets == nil || errors.Is(err, fs.ErrPermission)) {
		return nil, mayNot(err)
	}
	if err != nil {
		fmt.Fprintln(c.errs, "virtnet:", err)
	}
	return nets, nil
}

// told says what was left out of a network that runs without it.
func (c *call) told(e network.Event) {
	if e.Kind == network.EventLeftOut {
		fmt.Fprintf(c.errs, "virtnet: network %q runs without what was left out: %s\n", e.Network, e.Why)
	}
}

// mayNot adds to an error what can be done about it.
func mayNot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; networks of a host need root, documents do not: see \"virtnet help\"", err)
	}
	return err
}

// hostOrMemory does something with this host or, where that may not or cannot be, with a machine in memory. It is told
// where it is.
func (c *call) hostOrMemory(do func(b host.Backend, where string) error) error {
	b, err := c.open()
	if err == nil {
		err = do(b, "this host")
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		return do(hosttest.New("eth0"), fmt.Sprintf("a machine in memory (this one: %v)", err))
	}
	return err
}

// ports are those of a network, in the order of their guests and devices; of the empty name, those of no network.
func ports(ctx context.Context, nets *network.Manager, name string) ([]*network.PortStatus, error) {
	var list []*network.PortStatus
	for p, err := range nets.Ports(ctx, name) {
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(p, q *network.PortStatus) int {
		return cmp.Or(cmp.Compare(guestOf(p), guestOf(q)), cmp.Compare(p.Link, q.Link))
	})
	return list, nil
}

// guestOf is the name of a port's guest.
func guestOf(p *network.PortStatus) string {
	if p.Port.Owner == nil {
		return ""
	}
	return p.Port.Owner.Name
}

// active are the statuses of the networks that run; with names only of those, which have to run.
func active(ctx context.Context, nets *network.Manager, names ...string) ([]*network.Status, error) {
	var list []*network.Status
	for _, name := range names {
		s, err := nets.Lookup(ctx, name)
		if err == nil && !s.Active() {
			err = fmt.Errorf("network %q: %w", name, network.ErrInactive)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(names) > 0 {
		return list, nil
	}
	var errs []error
	for s, err := range nets.All(ctx) {
		errs = append(errs, err)
		if err == nil && s.Active() {
			list = append(list, s)
		}
	}
	return list, errors.Join(errs...)
}
