// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Discarder = (*Backend)(nil)

// A doomed is a device that an operation removes.
type doomed struct {
	at   int // of the operation among others
	link rtnl.Link
}

// Discard carries operations out of which some remove devices, and leaves the kernel's part of that for later; filters change
// in one transaction. See [host.Discarder]. The devices are in a link group of their own by then (ip link show group
// 1986946048, and the four behind it for bridges), by which any program that uses this package knows them.
//
// A device in mode passthru goes at once, for the one below to have its address back, and so does one of another namespace.
func (b *Backend) Discard(ctx context.Context, ops []host.Op) []error {
	return b.takeAway(ctx, ops, b.discardAll)
}

// Remove is Discard that returns when the devices are gone.
func (b *Backend) Remove(ctx context.Context, ops []host.Op) []error {
	if len(ops) == 1 {
		return []error{b.Do(ctx, ops[0])}
	}
	return b.takeAway(ctx, ops, b.removeAll)
}

// takeAway carries operations out, and leaves the devices that some remove to a way to do that with all of them.
func (b *Backend) takeAway(ctx context.Context, ops []host.Op, devices func(context.Context, []host.Op, []doomed, []error)) []error {
	errs := make([]error, len(ops))
	var all []doomed
	var filters []int
	var servers sync.WaitGroup
	for i, op := range ops {
		l, ok, err := b.removed(ctx, op)
		_, filter := op.(host.SetFilter)
		_, server := op.(host.Unserve)
		switch {
		case err != nil:
			errs[i] = err
		case ok:
			all = append(all, doomed{i, l})
		case filter:
			filters = append(filters, i)
		case server: // all at the same time: each has things to do before it ends
			servers.Go(func() { errs[i] = b.Do(ctx, op) })
		default:
			errs[i] = b.Do(ctx, op)
		}
	}
	devices(ctx, ops, all, errs)
	b.filterEach(ctx, ops, filters, errs)
	servers.Wait()
	return errs
}

// discardAll discards devices, or removes those at once that cannot be.
func (b *Backend) discardAll(ctx context.Context, ops []host.Op, all []doomed, errs []error) {
	ports, err := b.portsOf(all)
	for _, d := range all {
		if err == nil {
			errs[d.at] = b.discard(d.link, ports[d.link.Index])
		}
		if err != nil || errs[d.at] != nil {
			errs[d.at] = b.removeNow(ctx, ops[d.at])
		}
		if tap, ok := ops[d.at].(host.DelTap); ok && errs[d.at] == nil {
			b.taps.drop(tap.Link)
		}
	}
}

// removeAll removes devices in bulk, with those that shape their traffic.
func (b *Backend) removeAll(ctx context.Context, ops []host.Op, all []doomed, errs []error) {
	if len(all) == 1 {
		errs[all[0].at] = b.Do(ctx, ops[all[0].at])
	}
	if len(all) < 2 {
		return
	}
	links := make([]rtnl.Link, len(all))
	for i, d := range all {
		links[i] = d.link
	}
	for _, d := range all {
		// What cannot be looked for is looked for again when the device is gone.
		_ = b.withShapeDevice(d.link.Name, func(l rtnl.Link) error { links = append(links, l); return nil })
	}
	for _, l := range links {
		b.reaper.expect(l.Name)
	}
	refused := b.rt.Condemn(links)
	_, stuck := b.reap()
	for i, d := range all {
		if refused[i] != nil || stuck != nil {
			errs[d.at] = b.removeNow(ctx, ops[d.at])
		} else {
			errs[d.at] = b.dropShape(d.link.Name)
		}
	}
}

// removeNow removes a device that was there, of which a part may have been discarded.
func (b *Backend) removeNow(ctx context.Context, op host.Op) error {
	if _, err := b.reap(); err != nil {
		return err
	}
	if err := b.Do(ctx, op); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// filterEach sets filters in one transaction, or if that is refused each by itself.
func (b *Backend) filterEach(ctx context.Context, ops []host.Op, filters []int, errs []error) {
	together := make([]host.Op, len(filters))
	for i, at := range filters {
		together[i] = ops[at]
	}
	if len(filters) > 1 && b.DoAll(ctx, together) == nil {
		return
	}
	for _, at := range filters {
		errs[at] = b.Do(ctx, ops[at])
	}
}

// removed finds the device that an operation removes and that can be discarded; false for other operations.
func (b *Backend) removed(ctx context.Context, op host.Op) (l rtnl.Link, ok bool, err error) {
	if err := errors.Join(op.Check(), ctx.Err()); err != nil {
		return l, false, err
	}
	switch op := op.(type) {
	case host.DelBridge:
		l, err = b.ownLink(op.Link, host.Bridge, op.MAC)
	case host.DelTap:
		l, err = b.ownLink(op.Link, host.Tap, op.MAC)
	case host.DelVeth:
		l, err = b.ownLink(op.Link, host.Veth, op.MAC)
	case host.DelMacvtap:
		if op.Mode == host.Passthru {
			return l, false, nil
		}
		l, _, err = b.ownMacvtap(op)
	default:
		return l, false, nil
	}
	return l, err == nil, err
}

// portsOf finds the ports of the bridges among devices, by their indexes.
func (b *Backend) portsOf(all []doomed) (map[int][]rtnl.Link, error) {
	bridges := slices.DeleteFunc(slices.Clone(all), func(d doomed) bool { return kindOf(d.link) != host.Bridge })
	var links []rtnl.Link
	var err error
	switch len(bridges) {
	case 0:
		return nil, nil
	case 1:
		links, err = b.rt.Ports(bridges[0].link.Index)
	default:
		links, err = b.rt.Links()
	}
	ports := map[int][]rtnl.Link{}
	for _, l := range links {
		ports[l.Master] = append(ports[l.Master], l)
	}
	return ports, err
}

// discard takes a device away from its ports and from everybody else.
func (b *Backend) discard(l rtnl.Link, ports []rtnl.Link) error {
	for _, p := range ports {
		if err := b.rt.SetLinkIndex(p.Index, rtnl.Change{NoMaster: true}); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("port %s of %s: %w", p.Name, l.Name, err)
		}
	}
	if err := b.discardLink(l); err != nil {
		return err
	}
	return b.dropShapeBy(l.Name, b.discardLink)
}

func (b *Backend) discardLink(l rtnl.Link) error {
	if err := b.rt.Discard(l); err != nil {
		return fmt.Errorf("%s %s: %w", kindOf(l), l.Name, err)
	}
	b.reaper.await(l.Name, func() { _, _ = b.reap() })
	return nil
}
