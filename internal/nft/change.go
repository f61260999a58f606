// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A view is what a change of one network's filter depends on.
type view struct {
	generation uint32
	// table is nil if there is none, and then there is nothing else.
	table *table
	// bases are the chains that the kernel calls, and chains those of the network.
	bases  [2]state
	chains [lists]state
	maps   [lists]bool
	// elements are those of the links that the change names, or all.
	elements []element
	// annexes are nil if the change does not concern them.
	annexes [annexCount]*found
}

// A state of a chain is whether there is one of the name, and whether it is as it should be.
type state struct{ there, whole bool }

// exists reports whether there is a filter of the network, even a damaged one.
func (v *view) exists() bool {
	return slices.ContainsFunc(v.chains[:], func(s state) bool { return s.there })
}

// follow puts what the operations before in the same transaction make of it in the place of what networks share.
func (v *view) follow(m *memory) {
	v.table = m.table
	v.bases, v.maps = shared(m.table != nil)
	for i, now := range m.annexes {
		if now != nil {
			v.annexes[i] = now
		}
	}
}

// shared is what all filters share, all of it as it should be or none of it there.
func shared(there bool) (bases [2]state, maps [lists]bool) {
	for i := range bases {
		bases[i] = state{there, there}
	}
	for i := range maps {
		maps[i] = there
	}
	return bases, maps
}

// change adds to a transaction what carries out an operation on what is seen. The result is false if there is nothing to do.
func (v *view) change(b *batch, o host.SetFilter) (bool, error) {
	switch {
	case v.exists() && o.Was.IsZero():
		return false, fmt.Errorf("filter of network %s: %w", o.Network, fs.ErrExist)
	case !v.exists() && !o.Was.IsZero():
		return false, fmt.Errorf("filter of network %s: %w", o.Network, fs.ErrNotExist)
	case !v.exists() && o.Filter.IsZero():
		return false, nil
	}
	errs := []error{v.free(o)}
	for i, a := range annexes {
		errs = append(errs, v.annexes[i].free(a, o))
	}
	if err := errors.Join(errs...); err != nil {
		return false, err
	}
	b.objects, b.emptied = 0, false
	switch {
	case !o.Filter.IsZero():
		v.frame(b)
		v.set(b, o.Filter)
	case v.last():
		b.deleteTable()
	default:
		v.frame(b)
		v.remove(b, o.Network)
	}
	for i := range v.annexes {
		v.annexes[i].change(b, i, o)
	}
	return true, nil
}

// free refuses a link that has a filter of somebody else.
func (v *view) free(o host.SetFilter) error {
	for _, e := range v.elements {
		if network, _ := e.owner(); network == o.Network || o.Filter.IsZero() || e.link != o.Filter.Link {
			continue
		}
		return fmt.Errorf("filter of link %s: map %s leads to %v: %w", e.link, e.set, e.leads, fs.ErrExist)
	}
	return nil
}

// last reports whether there is nothing in the table but the network's filter and what all filters share.
func (v *view) last() bool {
	var own uint32
	for _, s := range slices.Concat(v.bases[:], v.chains[:]) {
		if s.there {
			own++
		}
	}
	for _, there := range v.maps {
		if there {
			own++
		}
	}
	return v.table.use == own
}

// remove deletes what there is of a network's filter, by name.
func (v *view) remove(b *batch, network string) {
	for _, e := range v.elements {
		if owner, _ := e.owner(); owner == network {
			b.deleteElement(e.set, e.link)
		}
	}
	for l, s := range v.chains {
		if s.there {
			b.deleteChain(list(l).chain(network))
		}
	}
}

// frame makes what all filters share, as far as it is missing or damaged.
func (v *view) frame(b *batch) {
	switch {
	case v.table == nil:
		b.addTable(made)
	case v.table.dormant:
		b.addTable(netlink.Create)
	}
	for l, there := range v.maps {
		if !there {
			b.addMap(list(l).String())
		}
	}
	for i, base := range bases() {
		if v.bases[i].there && !v.bases[i].whole {
			b.deleteChain(base.name)
		}
		if !v.bases[i].whole {
			b.addBase(base)
		}
	}
}

// set makes a network's filter what it should be.
//
// A packet that is on its way when the kernel changes from the old rules to the new looks all chains up as they were, but
// the maps as they will be. So chains that are there keep their place and only their rules are replaced, and a filter has
// all its chains from its beginning to its end, with or without rules. Then no packet passes between the two.
func (v *view) set(b *batch, f host.Filter) {
	var leads [lists]bool
	for _, e := range v.elements {
		owner, _ := e.owner()
		l, right := e.isOf(f)
		switch {
		case right:
			leads[l] = true
		case owner == f.Network:
			b.deleteElement(e.set, e.link)
		}
	}
	for l, s := range v.chains {
		list := list(l)
		chain := list.chain(f.Network)
		if s.there && !s.whole {
			b.deleteChain(chain)
		}
		if s.whole {
			b.flushChain(chain)
		} else {
			b.addChain(chain)
		}
		if list == nat {
			b.addProgram(chain, staysOnLink(f.Link))
		}
		for _, r := range list.rules(f) {
			b.addRule(chain, r)
		}
		if !leads[l] {
			b.addElement(list, f.Link, chain)
		}
	}
}

// isOf reports whether an element is as the filter needs it, and for which list.
func (e element) isOf(f host.Filter) (l list, ok bool) {
	for l := range lists {
		if e == (element{l.String(), f.Link, verdict{unix.NFT_JUMP, l.chain(f.Network)}}) {
			return l, true
		}
	}
	return 0, false
}
