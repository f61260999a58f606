// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/mdlayher/netlink"
)

// A view is what a change of one network's filter depends on.
type view struct {
	generation uint32
	// table is nil if there is none, and then there is nothing else.
	table *table
	// bases are the chains that the kernel calls: whether there is one of the name, and whether it is as it should be.
	bases [2]struct{ there, whole bool }
	maps  [lists]bool
	// chains are those of the network.
	chains [lists]bool
	// elements are those of the links that the change names, or all.
	elements []element
}

// exists reports whether there is a filter of the network, even a damaged one.
func (v *view) exists() bool { return slices.Contains(v.chains[:], true) }

// change is the transaction that carries out an operation on what is seen. It is nil if there is nothing to do.
func (v *view) change(o host.SetFilter) (*batch, error) {
	switch {
	case v.exists() && o.Was.IsZero():
		return nil, fmt.Errorf("filter of network %s: %w", o.Network, fs.ErrExist)
	case !v.exists() && !o.Was.IsZero():
		return nil, fmt.Errorf("filter of network %s: %w", o.Network, fs.ErrNotExist)
	case !v.exists() && o.Filter.IsZero():
		return nil, nil
	}
	if err := v.free(o); err != nil {
		return nil, err
	}
	b := newBatch(v.generation)
	if o.Filter.IsZero() && v.last() {
		b.deleteTable()
	} else {
		v.frame(b)
		v.remove(b, o.Network)
		if !o.Filter.IsZero() {
			add(b, o.Filter)
		}
	}
	b.end()
	return b, nil
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
	for _, there := range slices.Concat(v.maps[:], v.chains[:], []bool{v.bases[0].there, v.bases[1].there}) {
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
	for l, there := range v.chains {
		if there {
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

// add makes a network's filter. Links lead to the chains when these are complete.
func add(b *batch, f host.Filter) {
	for l := range lists {
		if !l.needed(f) {
			continue
		}
		chain := l.chain(f.Network)
		b.addChain(chain)
		if l == nat {
			b.addRule(chain, staysOnLink(f.Link))
		}
		for _, r := range l.rules(f) {
			b.addRule(chain, program(r))
		}
		b.addElement(l, f.Link, chain)
	}
}
