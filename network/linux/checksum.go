// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"sync"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/network/host"
)

// repairs is what a backend knows about the repair of checksums.
type repairs struct {
	sync.Mutex
	known bool
	can   []host.Repair
}

// checksumFacts looks which links fill in the checksums of DHCP, and what the kernel can do about them.
func (b *Backend) checksumFacts(ctx context.Context, scope host.Scope, f *host.Facts) (err error) {
	if scope.Repairs {
		if f.Repairs, err = b.repairing(ctx); err != nil {
			return fmt.Errorf("what the kernel can do about checksums: %w", err)
		}
	}
	if !scope.All && len(scope.Filled) == 0 {
		return nil
	}
	links, err := b.fillable(scope)
	if err != nil {
		return err
	}
	for _, l := range links {
		fills, err := b.tc.Fills(l.Index)
		if err != nil {
			return err
		}
		if len(fills) > 0 {
			f.Filled = append(f.Filled, l.Name)
		}
	}
	return nil
}

// fillable are the links of a scope that may fill checksums in. Of all links, those that have no place for filters are left out.
func (b *Backend) fillable(scope host.Scope) ([]rtnl.Link, error) {
	if !scope.All {
		return b.rt.LinksNamed(distinct(scope.Filled)...)
	}
	qdiscs, err := b.tc.AllQdiscs()
	if err != nil {
		return nil, err
	}
	places := map[int]bool{}
	for _, q := range qdiscs {
		places[q.Index] = places[q.Index] || q.Parent == tc.Clsact
	}
	links, err := b.rt.Links()
	return slices.DeleteFunc(links, func(l rtnl.Link) bool { return !places[l.Index] }), err
}

func (b *Backend) fillChecksums(ctx context.Context, o host.FillChecksums) error {
	unlock, err := b.lockShapes(toChange) // the place for filters is that of shapes
	if err != nil {
		return err
	}
	defer unlock()
	l, fills, err := b.fillsOf(o.Link)
	if err != nil {
		return err
	}
	if len(fills) > 0 {
		return fmt.Errorf("checksums of link %s: %w", o.Link, fs.ErrExist)
	}
	can, err := b.repairing(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(can, host.Fill) {
		return fmt.Errorf("checksums of link %s: the kernel lacks its classifier bpf or its action csum: %w", o.Link, errors.ErrUnsupported)
	}
	if err := b.addFill(l.Index); err != nil {
		return fmt.Errorf("checksums of link %s: %w", o.Link, err)
	}
	return nil
}

// fillsOf finds a link and the filters there that fill checksums in.
func (b *Backend) fillsOf(link string) (l rtnl.Link, fills []tc.Filter, err error) {
	if l, err = b.rt.Link(link); err == nil {
		fills, err = b.tc.Fills(l.Index)
	}
	return l, fills, err
}

// addFill makes the place for filters if there is none, and the filter.
func (b *Backend) addFill(index int) error {
	places, err := b.tc.Qdiscs(index, tc.Clsact)
	if err != nil {
		return err
	}
	made := len(places) == 0
	if made {
		if err := b.tc.AddClsact(index); err != nil {
			return err
		}
	}
	if err = b.tc.AddFill(index); err != nil && made {
		err = errors.Join(err, b.delClsact(index))
	}
	return err
}

func (b *Backend) unfillChecksums(o host.UnfillChecksums) error {
	unlock, err := b.lockShapes(toChange)
	if err != nil {
		return err
	}
	defer unlock()
	l, fills, err := b.fillsOf(o.Link)
	if err != nil {
		return err
	}
	if len(fills) == 0 {
		return fmt.Errorf("checksums of link %s: %w", o.Link, fs.ErrNotExist)
	}
	for _, f := range fills {
		if err := b.tc.DelFilter(l.Index, tc.Egress, f); err != nil {
			return fmt.Errorf("checksums of link %s: %w", o.Link, err)
		}
	}
	return b.delClsact(l.Index)
}

// repairing is how the kernel can repair what DHCP servers answer, the best way first. That is tried out in a network
// namespace that is thrown away. A user that may make none has neither filters nor bridges.
func (b *Backend) repairing(ctx context.Context) ([]host.Repair, error) {
	b.repairs.Lock()
	defer b.repairs.Unlock()
	if !b.repairs.known {
		can, err := probeRepairs(ctx)
		if err != nil {
			return nil, err
		}
		b.repairs.can, b.repairs.known = can, true
	}
	return slices.Clone(b.repairs.can), nil
}

func probeRepairs(ctx context.Context) (can []host.Repair, err error) {
	enter, done, err := scratch()
	if err != nil {
		return nil, rtnl.Translate(err)
	}
	defer done()
	rt, err := rtnl.Open(enter)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rt.Close() }()
	control := tc.New(enter, rt)
	defer func() { _ = control.Close() }()
	index, err := trial(rt, "a", func(n rtnl.NewLink) error { return rt.AddBridge(n, rtnl.BridgeOptions{}) })
	if err != nil {
		return nil, err
	}
	if control.AddClsact(index) == nil && control.AddFill(index) == nil {
		can = append(can, host.Fill)
	}
	filters := nft.New(enter)
	defer func() { _ = filters.Close() }()
	clearing := host.Filter{Network: "trial", Link: "trial", DHCP: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 1})}}
	err = filters.SetFilter(ctx, host.SetFilter{Network: clearing.Network, Filter: clearing})
	if err == nil {
		return append(can, host.Clear), nil
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return can, nil
	}
	return nil, err
}
