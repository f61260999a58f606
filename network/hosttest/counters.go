// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.CounterReader = (*Machine)(nil)

// Counters returns what [Machine.Count] has counted for the device of a guest; see [host.CounterReader].
func (m *Machine) Counters(ctx context.Context, made host.Op) (host.Counters, error) {
	if err := ctx.Err(); err != nil {
		return host.Counters{}, err
	}
	if err := made.Check(); err != nil {
		return host.Counters{}, err
	}
	defer m.look().Unlock()
	c, err := m.counted(made)
	if err != nil {
		return host.Counters{}, err
	}
	return *c, nil
}

// Count counts more of what has passed the device that an operation has made, as its guest sees it: nothing passes here
// by itself.
func (m *Machine) Count(made host.Op, more host.Counters) error {
	defer m.lock().Unlock()
	c, err := m.counted(made)
	if err != nil {
		return err
	}
	*c = host.Counters{Received: sum(c.Received, more.Received), Sent: sum(c.Sent, more.Sent)}
	return nil
}

func sum(a, b host.Traffic) host.Traffic {
	return host.Traffic{Packets: a.Packets + b.Packets, Bytes: a.Bytes + b.Bytes, Dropped: a.Dropped + b.Dropped, Errors: a.Errors + b.Errors}
}

// counted finds the counters of a device.
func (m *Machine) counted(made host.Op) (*host.Counters, error) {
	name, is := "", func(host.Link) bool { return true }
	switch made := made.(type) {
	case host.AddOVSPort:
		if err := m.checkOVS(""); err != nil {
			return nil, err
		}
		if _, ok := m.ovsPorts[made.Link]; !ok {
			return nil, missing("port %s of Open vSwitch", made.Link)
		}
		name = made.Link
	case host.AddTap:
		name, is = made.Link, func(l host.Link) bool { return l.Kind == host.Tap && l.MAC == made.MAC }
	case host.AddVeth:
		name, is = made.Link, func(l host.Link) bool { return l.Kind == host.Veth && l.MAC == made.MAC }
	case host.AddMacvtap:
		name, is = made.Link, made.Made
	case host.AddMacvlan:
		for i, g := range m.guests {
			if g.Namespace == made.Namespace && made.Made(g.Link) {
				return &m.guests[i].counters, nil
			}
		}
		return nil, missing("macvlan %s in %s", made.Link, made.Namespace)
	default:
		return nil, fmt.Errorf("counters of what %T makes: %w", made, errors.ErrUnsupported)
	}
	l, err := m.link(name)
	if err == nil && !is(l.Link) {
		err = missing("link %s as it was made", name)
	}
	if err != nil {
		return nil, err
	}
	return &l.counters, nil
}
