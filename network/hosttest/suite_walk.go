// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// testWalk does operations at random on the machine under test and on a [Machine], which have to agree about every
// error and every fact.
func (s Suite) testWalk(t *testing.T) { s.walk(t, 4, (*bench).try) }

// walk is testWalk with so many walks, and a way to do each operation.
func (s Suite) walk(t *testing.T, walks uint64, try func(*bench, host.Op) error) {
	for seed := range walks {
		x := s.open(t)
		m := &Machine{}
		if up(loopback).Holds(x.facts()) {
			if err := m.Do(t.Context(), up(loopback)); err != nil {
				t.Fatal(err)
			}
		}
		random := rand.New(rand.NewPCG(seed, 0))
		for step := range 120 {
			op := randomOp(random)
			if s.lacks(op) {
				continue
			}
			got, want := try(x, op), m.Do(t.Context(), op)
			if !errors.Is(class(got), class(want)) {
				t.Fatalf("seed %d, step %d, %s: error %v, Machine says %v\n%s", seed, step, op, got, want, m)
			}
			f, err := m.Facts(t.Context(), host.Scope{All: true})
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(f.String(), x.facts().String()); d != "" {
				t.Fatalf("seed %d, step %d: after %s (error %v) the facts differ (- Machine, + got):\n%s", seed, step, op, got, d)
			}
		}
	}
}

// class is the sentinel that an error wraps.
func class(err error) error {
	for _, sentinel := range []error{fs.ErrExist, fs.ErrNotExist, fs.ErrInvalid, fs.ErrPermission, errors.ErrUnsupported} {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return err
}

// randomOp is an operation on one of few things, so that operations meet.
func randomOp(random *rand.Rand) host.Op {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	link := pick("br0", "br1", "tap0", "tap1")
	mtu := func() int { return []int{1200, 1400, 1500}[random.IntN(3)] }
	route := host.AddRoute{
		Dest: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr(pick("192.168.7.8", "192.168.8.8")),
		Link: link, Metric: 1 + random.IntN(2),
	}
	if random.IntN(2) == 0 {
		route.Dest = netip.MustParsePrefix("2001:db8:9::/48")
		route.Gateway = netip.MustParseAddr(pick("2001:db8:7::8", "2001:db8:8::8", "fe80::8"))
	}
	filter := filter2
	filter.Network, filter.Link = pick("n1", "n2"), pick("br0", "br1")
	if first := uint16(random.IntN(3)); first > 0 {
		filter.Forwards = []host.PortForward{portForward(host.TCP, pick("", "203.0.113.5"), first, 2, "192.168.7.2", 80)}
	}
	filter.Guarded = random.IntN(3) == 0
	ops := []host.Op{
		br0, br1, tap0, tap1,
		host.Plug{Link: link, Bridge: pick("br0", "br1"), Isolated: random.IntN(2) == 0},
		with(quiet0, func(o *host.Plug) { o.Link, o.Bridge = link, pick("br0", "br1") }),
		up(link), up(link), up(link),
		host.SetMTU{Link: link, MTU: mtu(), Was: mtu()},
		host.AddAddr{Link: link, Prefix: netip.MustParsePrefix(pick("192.168.7.1/24", "192.168.7.2/24", "192.168.8.1/24", "192.168.8.1/32"))},
		host.AddAddr{Link: link, Prefix: netip.MustParsePrefix(pick("2001:db8:7::1/64", "2001:db8:7::2/64", "2001:db8:8::1/64", "2001:db8:7::1/48"))},
		route, route,
		host.SetSysctl{Key: "net/ipv6/conf/" + link + "/disable_ipv6", Value: pick("0", "1"), Was: "0"},
		host.SetFilter{Network: filter.Network, Filter: filter},
		host.EnableForwarding{IPv6: random.IntN(2) == 0},
	}
	ops = append(ops, randomShape(random, link)...)
	ops = append(ops, randomMacvtap(random)...)
	op := ops[random.IntN(len(ops))]
	if inverse := op.Inverse(); inverse != nil && random.IntN(3) == 0 {
		return inverse
	}
	return op
}

// randomMacvtap are operations on macvtap devices on links that others work on.
func randomMacvtap(random *rand.Rand) []host.Op {
	mv := []host.AddMacvtap{mv0, mv1}[random.IntN(2)]
	mv.Lower = []string{"tap0", "tap1", "br0"}[random.IntN(3)]
	mv.Mode = macvtapModes[random.IntN(len(macvtapModes))]
	mv.MTU = []int{0, 0, 1200, 1500}[random.IntN(4)]
	if mv.Lower == "tap0" && random.IntN(3) == 0 {
		mv.Mode, mv.Was = host.Passthru, tap0.MAC
	}
	return []host.Op{mv, mv, up(mv.Link), host.SetMTU{Link: mv.Link, MTU: 1400, Was: 1500}, host.Raise{Link: mv.Lower}}
}

// randomShape are operations on the shape of a link.
func randomShape(random *rand.Rand, link string) []host.Op {
	shapes := []host.Shape{with0(shape0, link), with0(shape1, link), with0(shape2, link), {}}
	set := host.SetShape{Link: link, Shape: shapes[random.IntN(3)], Was: shapes[random.IntN(4)]}
	if set.Shape == set.Was {
		set.Was = host.Shape{}
	}
	class, was := class3, class3
	if random.IntN(2) == 0 {
		class, was = class4, class4
	}
	class.Link, was.Link = link, link
	class.Rate = []uint64{1, 700, 1900}[random.IntN(3)]
	return []host.Op{set, set, host.AddClass(class), host.SetClass{Class: class, Was: was}}
}
