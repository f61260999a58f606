// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// A walk takes packets of a kind through the chain of a hook and those it leads to.
type walk struct {
	fw     *host.Firewall
	packet sample
	base   *host.Chain
	// accepts is whether some of the packets may have been accepted on the way.
	accepts bool
	found   []Barrier
}

// A match is whether a rule applies to packets of a kind.
type match uint8

const (
	never match = iota
	some        // to some of them, or it is not known
	all
)

// deepest is how deep the kernel lets chains lead to each other.
const deepest = 16

// stop notes a rule that stops packets. Sure is whether all get there that were not accepted before.
func (w *walk) stop(rule string, sure bool) {
	certainty := Always
	switch {
	case !sure:
		certainty = Perhaps
	case w.accepts:
		certainty = Unless
	}
	w.found = append(w.found, Barrier{w.packet.traffic, w.packet.family, certainty, w.base.String(), rule})
}

// chain walks through a chain, which all packets reach if sure. It reports whether none is left at its end.
func (w *walk) chain(c *host.Chain, sure bool, depth int) (ended bool) {
	for _, r := range c.Rules {
		m := w.matches(r)
		if m == never {
			continue
		}
		text := r.Text
		if c != w.base {
			text = "chain " + c.Name + ": " + text
		}
		switch r.Do {
		case host.Accept:
			if m == all {
				w.accepts = w.accepts || !sure
				return true
			}
			w.accepts = true
		case host.Drop, host.Reject:
			w.stop(text, sure && m == all)
			if m == all {
				return true
			}
		case host.Other:
			w.stop(text+" (its verdict is not understood)", false)
		case host.Return:
			if m == all {
				return false
			}
			// Some come back to where they came from, and are judged there as if all did.
			sure = false
		case host.Jump, host.Goto:
			ended := w.lead(r.To, sure && m == all, depth)
			if m == all && (ended || r.Do == host.Goto) {
				return ended
			}
		}
	}
	return false
}

func (w *walk) lead(to string, sure bool, depth int) (ended bool) {
	i := slices.IndexFunc(w.fw.Chains, func(c host.Chain) bool {
		return c.Family == w.base.Family && c.Table == w.base.Table && c.Name == to
	})
	if i < 0 || depth >= deepest {
		w.stop("chain "+to+", which could not be read", false)
		return false
	}
	return w.chain(&w.fw.Chains[i], sure, depth+1)
}

func (w *walk) matches(r host.ChainRule) match {
	m := all
	for _, c := range r.When {
		one := w.packet.meets(c)
		if c.Not && c.Field != "" {
			one = all - one
		}
		m = min(m, one)
	}
	return m
}

// meets says whether packets of the kind have one of the values of a condition.
func (p sample) meets(c host.Condition) match {
	switch c.Field {
	case host.In:
		return p.named(p.in, c.Names)
	case host.Out:
		return p.named(p.out, c.Names)
	case host.Version:
		return oneOf(p.family, c.Families)
	case host.Transport:
		if p.proto == host.AnyProto {
			return some
		}
		return oneOf(p.proto, c.Protos)
	case host.Source:
		return p.within(p.src, c.Prefixes)
	case host.Dest:
		return p.within(p.dst, c.Prefixes)
	case host.DestPort:
		if p.port == 0 {
			return some
		}
		for _, r := range c.Ports {
			if r.From <= p.port && p.port <= r.To {
				return all
			}
		}
		return never
	case host.State:
		if p.state == 0 {
			return some
		}
		if p.state&c.States != 0 {
			return all
		}
		return never
	case host.Forwarded:
		if p.led {
			return all
		}
		return never
	}
	return some
}

// named compares the name of a link, which is empty if it is not known or there is none.
func (p sample) named(name string, names []string) match {
	for _, n := range names {
		if prefix, ok := strings.CutSuffix(n, "*"); ok && strings.HasPrefix(name, prefix) || n == name {
			return all
		}
	}
	if name != "" {
		return never
	}
	switch p.traffic {
	case DHCPRequest, DNSRequest, ServerAnswer:
		return never // The host itself has no name.
	}
	return some
}

func oneOf[T comparable](value T, values []T) match {
	if slices.Contains(values, value) {
		return all
	}
	return never
}

// within compares addresses; an invalid one is any of the family that is not away.
func (p sample) within(addrs netip.Prefix, prefixes []netip.Prefix) match {
	m := never
	for _, q := range prefixes {
		switch {
		case host.FamilyOf(q.Addr()) != p.family:
		case q.Bits() == 0, addrs.IsValid() && q.Bits() <= addrs.Bits() && q.Overlaps(addrs):
			return all
		case addrs.IsValid():
			if q.Overlaps(addrs) {
				m = some
			}
		case !p.away.IsValid() || q.Bits() < p.away.Bits() || !q.Overlaps(p.away):
			m = some
		}
	}
	return m
}
