// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.CounterReader = (*Backend)(nil)

// Counters reads what has passed the device of a guest; see [host.CounterReader].
func (b *Backend) Counters(ctx context.Context, made host.Op) (host.Counters, error) {
	if err := ctx.Err(); err != nil {
		return host.Counters{}, err
	}
	if err := made.Check(); err != nil {
		return host.Counters{}, err
	}
	switch made := made.(type) {
	case host.AddOVSPort:
		c, err := b.ovsdb().Counters(ctx, made.Link)
		return c.Swapped(), err
	case host.AddTap:
		c, err := b.count(made.Link, func(l host.Link) bool { return l.Kind == host.Tap && l.MAC == made.MAC })
		return c.Swapped(), err
	case host.AddVeth:
		c, err := b.count(made.Link, func(l host.Link) bool { return l.Kind == host.Veth && l.MAC == made.MAC })
		return c.Swapped(), err
	case host.AddMacvtap:
		return b.count(made.Link, func(l host.Link) bool {
			l.Lower = made.Lower // by whatever name
			return made.Made(l)
		})
	case host.AddMacvlan:
		return b.countMacvlan(made)
	}
	return host.Counters{}, fmt.Errorf("counters of what %T makes: %w", made, errors.ErrUnsupported)
}

// count reads what the kernel counts for a link, if it is the one that is meant.
func (b *Backend) count(name string, meant func(host.Link) bool) (host.Counters, error) {
	l, err := b.rt.Link(name)
	if err != nil {
		return host.Counters{}, err
	}
	if !meant(linkFact(l, nil)) {
		return host.Counters{}, fmt.Errorf("link %s is another one: %w", name, fs.ErrNotExist)
	}
	return counters(b.rt, l.Index)
}

// countMacvlan reads what is counted in the namespace of a guest.
func (b *Backend) countMacvlan(made host.AddMacvlan) (c host.Counters, err error) {
	err = b.inGuest(made.Namespace, func(guest *rtnl.Conn, _ int) error {
		l, err := b.findMacvlan(guest, made)
		if err != nil {
			return err
		}
		c, err = counters(guest, l.index)
		return err
	})
	if errors.Is(err, errNoNamespace) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return c, err
}

func counters(rt *rtnl.Conn, index int) (host.Counters, error) {
	c, err := rt.Counters(index)
	return host.Counters{Received: host.Traffic(c.Received), Sent: host.Traffic(c.Sent)}, err
}
