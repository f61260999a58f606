// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Limit drops what a link receives too fast: after a pause Burst bytes pass at once, and what a second brings besides, for
// the kernel's bucket holds that always; Rate is in bytes per second. The zero Limit is none.
type Limit struct {
	Rate  uint64
	Burst uint32
	// Other says what is not as SetLimit makes it.
	Other string
}

// The limits are in a table of their own: of the family whose chains belong to a link each.
//
//	table netdev virtnet {
//		chain in-LINK {
//			type filter hook ingress device "LINK" priority 0; policy accept;
//			limit rate over RATE bytes/second burst BURST bytes drop
//		}
//	}
const limitPrefix = "in-"

// limiting makes the messages that follow ones about the table of limits.
func (m *messages) limiting() { m.family, m.table = unix.NFPROTO_NETDEV, Table }

// overLimit ends the rule unless more comes than the rate, in bytes per second.
type overLimit struct {
	rate  uint64
	burst uint32
}

const (
	limitBytes   = 1 // NFT_LIMIT_PKT_BYTES
	limitInverse = 1 // NFT_LIMIT_F_INV: what is over it matches
)

func (overLimit) kind() string { return "limit" }

func (x overLimit) put(w *writer) {
	w.bytes(unix.NFTA_LIMIT_RATE, binary.BigEndian.AppendUint64(nil, x.rate))
	w.bytes(unix.NFTA_LIMIT_UNIT, binary.BigEndian.AppendUint64(nil, 1)) // a second
	w.number(unix.NFTA_LIMIT_BURST, x.burst)
	w.number(unix.NFTA_LIMIT_TYPE, limitBytes)
	w.number(unix.NFTA_LIMIT_FLAGS, limitInverse)
}

func readLimit(a *attrs) expr {
	rate, unit := a.take(unix.NFTA_LIMIT_RATE), a.take(unix.NFTA_LIMIT_UNIT)
	burst := a.number(unix.NFTA_LIMIT_BURST)
	if len(rate) != 8 || len(unit) != 8 || binary.BigEndian.Uint64(unit) != 1 || a.number(unix.NFTA_LIMIT_TYPE) != limitBytes || a.number(unix.NFTA_LIMIT_FLAGS) != limitInverse {
		return nil
	}
	return overLimit{binary.BigEndian.Uint64(rate), burst}
}

func (l Limit) program() []expr {
	return []expr{overLimit{l.Rate, l.Burst}, verdict{code: drop}}
}

// SetLimit replaces the limit of a link, or takes it away if it is zero. Taking away one that is not there is no error. A
// kernel that cannot do it wraps errors.ErrUnsupported.
func (c *Conn) SetLimit(ctx context.Context, link string, l Limit) error {
	err := c.repeat(ctx, func(s *socket) (again bool, err error) {
		generation, is, there, err := s.glanceAtLimit(link)
		last := is != nil && (is.use == 0 || is.use == 1 && there)
		if err != nil || l == (Limit{}) && !there && !last {
			return false, err
		}
		b := newBatch(generation)
		b.limiting()
		asleep := l != Limit{} && is != nil && is.dormant
		switch {
		case asleep:
			b.addTable(netlink.Create) // the kernel wants this alone
		case l != Limit{}:
			b.limit(is != nil, there, link, l)
		case last: // the chain may have gone with its link
			b.dropTable()
		default:
			b.deleteChain(limitPrefix + link)
		}
		b.end()
		refused, err := s.commit(b)
		return asleep && err == nil || refused && errors.Is(err, unix.ERESTART), err
	})
	if l == (Limit{}) && errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// glanceAtLimit asks for the ruleset's generation, the table of limits, and whether a link has one.
func (s *socket) glanceAtLimit(link string) (generation uint32, is *table, there bool, err error) {
	m := &messages{}
	m.askGeneration()
	m.limiting()
	m.askTable()
	m.askChain(limitPrefix + link)
	err = s.ask(m, func(a answer) {
		switch a.kind {
		case unix.NFT_MSG_NEWGEN:
			generation = readGeneration(a.body)
		case unix.NFT_MSG_NEWTABLE:
			t := readTable(a.body)
			is = &t
		case unix.NFT_MSG_NEWCHAIN:
			there = true
		}
	})
	return generation, is, there, err
}

// limit makes a limit, in a table that is there or not, in place of another one or not.
func (b *batch) limit(table, there bool, link string, l Limit) {
	if !table {
		b.addTable(made)
	}
	name := limitPrefix + link
	if there {
		b.deleteChain(name)
	}
	b.change(unix.NFT_MSG_NEWCHAIN, made, "add chain", name, func(w *writer) {
		w.text(unix.NFTA_CHAIN_TABLE, b.tableName())
		w.text(unix.NFTA_CHAIN_NAME, name)
		w.nested(unix.NFTA_CHAIN_HOOK, func() {
			w.number(unix.NFTA_HOOK_HOOKNUM, unix.NF_NETDEV_INGRESS)
			w.number(unix.NFTA_HOOK_PRIORITY, 0)
			w.text(unix.NFTA_HOOK_DEV, link)
		})
		w.number(unix.NFTA_CHAIN_POLICY, accept)
		w.text(unix.NFTA_CHAIN_TYPE, "filter")
	})
	b.addProgram(name, l.program())
}

// Limits reads the limits of links, or all if links is nil. A machine without nf_tables has none.
func (c *Conn) Limits(ctx context.Context, links []string) (limits map[string]Limit, err error) {
	err = c.repeat(ctx, func(s *socket) (again bool, err error) {
		limits, again, err = s.limits(links)
		return again, err
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return limits, err
}

func (s *socket) limits(links []string) (limits map[string]Limit, again bool, err error) {
	limits = map[string]Limit{}
	dormant := false
	m := &messages{}
	m.limiting()
	m.askTable()
	for _, link := range links {
		m.askChain(limitPrefix + link)
	}
	take := func(a answer) {
		if a.kind == unix.NFT_MSG_NEWTABLE {
			dormant = readTable(a.body).dormant
		} else if c, ok := readChain(a.body, Table); ok && a.family == unix.NFPROTO_NETDEV {
			if link, ok := strings.CutPrefix(c.name, limitPrefix); ok {
				limits[link] = Limit{Other: c.otherThanLimits(link)}
			}
		}
	}
	if err := s.ask(m, take); err != nil {
		return nil, false, err
	}
	if links == nil {
		list := &messages{}
		list.limiting()
		list.listChains()
		if again, err = s.all(list, take); err != nil {
			return nil, false, err
		}
	}
	for link, l := range limits {
		changed, err := s.limitOf(link, &l)
		if err != nil {
			return nil, false, err
		}
		if dormant {
			l.Other = "table netdev " + Table + " is dormant"
		}
		limits[link], again = l, again || changed
	}
	return limits, again, nil
}

// otherThanLimits is what a chain is instead of one that the kernel calls with what the link receives.
func (c chain) otherThanLimits(link string) string {
	if c.kind == "filter" && c.hook == unix.NF_NETDEV_INGRESS && c.policy == accept && c.link == link {
		return ""
	}
	return "chain " + c.name + " has another hook"
}

// limitOf reads the rule of a limit.
func (s *socket) limitOf(link string, l *Limit) (changed bool, err error) {
	var steps [][]expr
	list := &messages{}
	list.limiting()
	list.listRules(limitPrefix + link)
	changed, err = s.all(list, func(a answer) {
		if r, ok := readRuleMessage(a.body, Table); ok && a.family == unix.NFPROTO_NETDEV {
			steps = append(steps, r.steps)
		}
	})
	if len(steps) == 1 && len(steps[0]) > 0 {
		if over, ok := steps[0][0].(overLimit); ok {
			l.Rate, l.Burst = over.rate, over.burst
		}
	}
	if l.Other == "" && (len(steps) != 1 || !slices.Equal(steps[0], l.program())) {
		l.Other = "chain " + limitPrefix + link + " has other rules"
	}
	return changed, err
}
