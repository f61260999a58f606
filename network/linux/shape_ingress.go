// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/network/host"
)

// buildIngress shapes what a link receives, and then takes away what stood in for another way to do it.
func (b *Backend) buildIngress(now *shaped, want host.Shape) error {
	var err error
	switch want.Means {
	case host.Redirect:
		err = b.redirect(now, want)
	case host.Police:
		err = b.police(now, want)
	case host.Throttle:
		err = b.throttle(now, want.Ingress)
	}
	if err != nil {
		return err
	}
	return b.release(now, want)
}

// redirect has what a link receives wait in a device of its own. It waits there before anything is sent there.
func (b *Backend) redirect(now *shaped, want host.Shape) error {
	if now.device.Index == 0 {
		name := shapeDevice(now.name)
		if err := b.rt.AddIFB(rtnl.NewLink{Name: name, MAC: shapeMAC(name)}); err != nil {
			return fmt.Errorf("link %s: %w", name, err)
		}
		var err error
		if now.device, err = b.rt.Link(name); err != nil {
			return err
		}
	}
	if err := b.buildTree(now.device.Index, &now.ingress, want.Ingress, want.Queue); err != nil {
		return err
	}
	if !now.device.Up {
		// It has no addresses; without this the kernel would give it one.
		err := b.enter(func() error { return writeSysctl("net/ipv6/conf/"+now.device.Name+"/disable_ipv6", "1") })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("link %s: %w", now.device.Name, err)
		}
		if err := b.rt.SetLinkIndex(now.device.Index, rtnl.Change{Alias: now.name, Up: true}); err != nil {
			return fmt.Errorf("link %s: %w", now.device.Name, err)
		}
	}
	if slices.ContainsFunc(now.filters, now.wanted(want)) {
		return nil
	}
	if err := b.addClsact(now); err != nil {
		return err
	}
	return b.tc.AddRedirect(now.link.Index, now.device.Index, want.BPF)
}

// police has what comes in too fast dropped.
func (b *Backend) police(now *shaped, want host.Shape) error {
	if slices.ContainsFunc(now.filters, now.wanted(want)) {
		return nil
	}
	if err := b.addClsact(now); err != nil {
		return err
	}
	return b.tc.AddPolice(now.link.Index, policeOf(want.Ingress), want.BPF)
}

// wanted finds the filter that a shape has on what is received.
func (s *shaped) wanted(want host.Shape) func(tc.Filter) bool {
	return func(f tc.Filter) bool {
		switch {
		case f.BPF != want.BPF:
			return false
		case want.Means == host.Redirect:
			return s.redirects(f)
		}
		return want.Means == host.Police && f.Police == policeOf(want.Ingress) && f.Other == ""
	}
}

// throttle has what comes in too fast dropped by the packet filter.
func (b *Backend) throttle(now *shaped, limit host.Limit) error {
	want := throttleOf(limit)
	if now.limit == want {
		return nil
	}
	return b.nft.SetLimit(context.Background(), now.name, want)
}

// throttleOf are the kernel's numbers for a limit that it adds a second's worth to.
func throttleOf(l host.Limit) nft.Limit {
	return nft.Limit{Rate: l.Rate * 1000, Burst: uint32(l.Burst*1024 - l.Rate*1000)}
}

// readThrottle is the limit that the kernel's numbers mean.
func readThrottle(l nft.Limit) host.Limit {
	rate := l.Rate / 1000
	return host.Limit{Rate: rate, Ceil: rate, Burst: (l.Rate + uint64(l.Burst)) / 1024}
}

// policeOf are the kernel's numbers for a limit.
func policeOf(l host.Limit) tc.Police {
	return tc.Police{Rate: l.Rate * 1000, Burst: tc.Ticks(l.Burst*1024, l.Rate*1000)}
}

// readPolice is the limit that the kernel's numbers mean.
func readPolice(p tc.Police) host.Limit {
	return readLimit(tc.Rates{Rate: p.Rate, Ceil: p.Rate, Buffer: p.Burst})
}

// redirects reports whether a filter sends everything to the device.
func (s *shaped) redirects(f tc.Filter) bool {
	return s.device.Index != 0 && f.Redirect == s.device.Index
}

// ours reports whether a filter on what comes in was made to shape.
func (s *shaped) ours(f tc.Filter) bool {
	return s.redirects(f) || f.Redirect == tc.Lost || f.Police != tc.Police{}
}

func (b *Backend) addClsact(now *shaped) error {
	if now.clsact {
		return nil
	}
	if err := b.tc.AddClsact(now.link.Index); err != nil {
		return err
	}
	now.clsact = true
	return nil
}

// release lets what a link receives through again, as far as it is not shaped as wanted, and removes the device it was
// redirected to.
func (b *Backend) release(now *shaped, want host.Shape) error {
	if want.Means != host.Throttle && now.limit != (nft.Limit{}) {
		if err := b.nft.SetLimit(context.Background(), now.name, nft.Limit{}); err != nil {
			return err
		}
	}
	if now.device.Index == 0 && !slices.ContainsFunc(now.filters, now.ours) {
		return nil
	}
	wanted := now.wanted(want)
	for _, f := range now.filters {
		if !now.ours(f) || wanted(f) {
			continue
		}
		if err := b.tc.DelFilter(now.link.Index, tc.Ingress, f); err != nil {
			return err
		}
	}
	if want.Means == "" && now.clsact {
		if err := b.delClsact(now.link.Index); err != nil {
			return err
		}
	}
	if want.Means == host.Redirect {
		return nil
	}
	return b.delShapeDevice(now.name)
}

// delClsact takes the place for filters away, unless there still are any, on what is received or on what is sent.
func (b *Backend) delClsact(index int) error {
	for _, place := range []tc.Handle{tc.Ingress, tc.Egress} {
		filters, err := b.tc.Filters(index, place)
		if err != nil || len(filters) > 0 {
			return err
		}
	}
	return b.tc.DelQdisc(index, tc.Clsact, "clsact")
}
