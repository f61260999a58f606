// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// discard discards by one operation.
func (x *bench) discard(op host.Op) error {
	x.t.Helper()
	return x.backend.(host.Discarder).Discard(context.Background(), []host.Op{x.here(op)})[0]
}

func (s Suite) testDiscarder(t *testing.T) {
	if _, ok := s.open(t).backend.(host.Discarder); !ok {
		t.Skip("the backend is no Discarder")
	}
	passthru := with(mv0, func(o *host.AddMacvtap) { o.Mode, o.Was = host.Passthru, tap0.MAC })
	for name, c := range map[string]struct {
		before []host.Op
		made   host.Op
		used   []host.Op
	}{
		"bridge":   {[]host.Op{tap0, tap1, up("tap1")}, br0, []host.Op{gateway4, up("br0"), gateway6, plug("tap0", "br0"), plug("tap1", "br0")}},
		"shaped":   {nil, br0, []host.Op{up("br0"), host.SetShape{Link: "br0", Shape: shape2}}},
		"tap":      {[]host.Op{br0, up("br0")}, tap0, []host.Op{plug("tap0", "br0"), up("tap0")}},
		"veth":     {[]host.Op{br0, up("br0")}, veth, []host.Op{plug("veth0", "br0"), up("veth0")}},
		"macvtap":  {[]host.Op{tap0, up("tap0")}, mv0, []host.Op{up("mv0")}},
		"passthru": {[]host.Op{tap0, up("tap0")}, passthru, []host.Op{up("mv0")}},
	} {
		t.Run(name, func(t *testing.T) {
			x := s.open(t, slices.Concat(c.before, []host.Op{c.made}, c.used)...)
			x.do(c.before...)
			before := x.facts()
			x.do(c.made)
			x.do(c.used...)
			for round := range 3 {
				if err := x.discard(c.made.Inverse()); err != nil {
					t.Fatal(err)
				}
				x.same("after Discard", before)
				if round == 1 { // nobody takes it for a device
					if err := x.discard(c.made.Inverse()); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("a device that is gone: error %v, want %v", err, fs.ErrNotExist)
					}
					x.refuses(up(host.LinksOf(c.made)[0]), fs.ErrNotExist)
				}
				if round < 2 { // and nobody has to wait for it
					x.do(c.made)
					x.do(c.used...)
				}
			}
			if err := x.backend.(host.Discarder).Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			x.same("after Settle", before)
		})
	}
	t.Run("each", func(t *testing.T) { s.testDiscardEach(t, host.Discarder.Discard) })
	t.Run("removed", func(t *testing.T) { s.testDiscardEach(t, host.Discarder.Remove) })
	t.Run("walk", s.testDiscardWalk)
}

// testDiscardEach takes several away at once, of which each ends in its own way.
func (s Suite) testDiscardEach(t *testing.T, take func(host.Discarder, context.Context, []host.Op) []error) {
	set := host.SetFilter{Network: filter1.Network, Filter: filter1}
	x := s.open(t, br0, br1, tap0, set)
	discarder := x.backend.(host.Discarder)
	x.do(br1)
	before := x.facts()
	x.do(br0, tap0, plug("tap0", "br0"), set)
	ops := []host.Op{
		br0.Inverse(), tap1.Inverse(), with(host.DelBridge(br1), func(o *host.DelBridge) { o.MAC = br0.MAC }),
		with(host.DelTap(tap1), func(o *host.DelTap) { o.Link = "" }), set.Inverse(), tap0.Inverse(),
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	all := x.facts()
	for i, err := range take(discarder, canceled, ops) {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("canceled %s: error %v", ops[i], err)
		}
	}
	x.same("after a canceled one", all)
	if err := discarder.Settle(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled Settle: error %v", err)
	}
	want := []error{nil, fs.ErrNotExist, fs.ErrNotExist, fs.ErrInvalid, nil, nil}
	for i, err := range take(discarder, t.Context(), ops) {
		if !errors.Is(err, want[i]) {
			t.Errorf("%s: error %v, want %v", ops[i], err, want[i])
		}
	}
	x.same("after all", before)
	if errs := take(discarder, t.Context(), nil); len(errs) > 0 {
		t.Errorf("nothing: errors %v", errs)
	}
}

// testDiscardWalk does operations at random, and discards every other device that is removed.
func (s Suite) testDiscardWalk(t *testing.T) {
	discards := 0
	s.walk(t, 2, func(x *bench, op host.Op) error {
		link := discardable(op)
		// What stands on a device goes when that goes, which may be later.
		if link == "" || slices.ContainsFunc(x.facts().Links, func(l host.Link) bool { return l.Lower == link }) {
			return x.try(op)
		}
		if discards++; discards%2 == 0 {
			return x.try(op)
		}
		return x.discard(op)
	})
}
