// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/mdlayher/netlink"
)

// found is what there is of an annex. What is found does not change: a change makes another one.
type found struct {
	table  *table
	sets   []bool
	chains []state
	held   map[slot]holding
}

// A slot is a place in a set, which one network can have, and a holding what is there. Nobody is the owner of what somebody else put there.
type (
	slot struct {
		set int
		key string
	}
	holding struct{ data, owner string }
)

// nothing is an annex of which there is nothing.
func (a annex) nothing() *found {
	return &found{held: map[slot]holding{}, sets: make([]bool, len(a.sets)), chains: make([]state, len(a.chains))}
}

// whole reports whether the annex does for its entries what it is for.
func (s *found) whole() bool {
	return s != nil && s.table != nil && !s.table.dormant && !slices.Contains(s.sets, false) &&
		!slices.ContainsFunc(s.chains, func(c state) bool { return !c.whole })
}

// restore gives a filter what it has in the annex.
func (s *found) restore(a annex, f *host.Filter) {
	if !s.whole() {
		return
	}
	var list []entry
	for at, h := range s.held {
		if h.owner == f.Network {
			list = append(list, entry{at.set, at.key, h.data})
		}
	}
	sortEntries(list)
	a.restore(f, list)
}

// free refuses an entry whose place is another network's.
func (s *found) free(a annex, o host.SetFilter) error {
	if s == nil {
		return nil
	}
	for _, e := range a.entries(o.Filter) {
		if owner := s.held[slot{e.set, e.key}].owner; owner != "" && owner != o.Network {
			set := a.sets[e.set]
			return fmt.Errorf("%s in %s of table %s: it is one of network %s: %w", valueText(e.key, set.key), set.name, a.table, owner, fs.ErrExist)
		}
	}
	return nil
}

// change makes the annex hold a network's entries, and be what it should be while there are any.
func (s *found) change(b *batch, number int, o host.SetFilter) {
	if s == nil {
		return
	}
	a := annexes[number]
	b.about(a)
	defer func() { b.family, b.table = 0, "" }()
	left := s.left(a, o)
	if len(left) == 0 {
		s.remove(b, a)
		return
	}
	switch {
	case s.table == nil:
		b.addTable(made)
	case s.table.dormant:
		b.addTable(netlink.Create)
	}
	for i, there := range s.sets {
		if !there {
			b.addSet(a.sets[i])
		}
	}
	for i, c := range a.chains {
		if s.chains[i].whole {
			continue
		}
		if s.chains[i].there {
			b.deleteChain(c.name)
		}
		b.addHook(c.base)
		for _, steps := range annexPrograms[number][i] {
			b.addProgram(c.name, steps)
		}
	}
	s.fill(b, a, left)
}

// fill makes the sets hold these entries, each with the network it belongs to.
func (s *found) fill(b *batch, a annex, want map[slot]holding) {
	for i, set := range a.sets {
		var gone, come []slot
		for at, h := range s.held {
			if w, keep := want[at]; at.set == i && (!keep || w != h) {
				gone = append(gone, at)
			}
		}
		for at, w := range want {
			if h, there := s.held[at]; at.set == i && (!there || w != h) {
				come = append(come, at)
			}
		}
		b.deleteEntries(set, inOrder(gone))
		b.addEntries(set, inOrder(come), want)
	}
}

// remove deletes what is there when no network needs it, but nothing that somebody else put there.
func (s *found) remove(b *batch, a annex) {
	if s.table == nil {
		return
	}
	if s.table.use == s.objects() {
		b.dropTable()
		return
	}
	s.fill(b, a, nil)
}

// objects is how many sets and chains of the annex are there.
func (s *found) objects() (n uint32) {
	for _, there := range s.sets {
		if there {
			n++
		}
	}
	for _, c := range s.chains {
		if c.there {
			n++
		}
	}
	return n
}

// left is what is in the sets when an operation was carried out.
func (s *found) left(a annex, o host.SetFilter) map[slot]holding {
	held := maps.Clone(s.held)
	maps.DeleteFunc(held, func(_ slot, h holding) bool { return h.owner == o.Network })
	for _, e := range a.entries(o.Filter) {
		held[slot{e.set, e.key}] = holding{e.data, o.Network}
	}
	return held
}

// after is what there is when an operation was carried out; nil is that this has to be asked for.
func (s *found) after(a annex, o host.SetFilter) *found {
	now := a.nothing()
	switch now.held = s.left(a, o); {
	case len(now.held) > 0:
		for i := range now.sets {
			now.sets[i] = true
		}
		for i := range now.chains {
			now.chains[i] = state{true, true}
		}
		// Others may have put more into the table, but who knows what now is deletes the table only if that is still so.
		now.table = &table{use: now.objects()}
		if s.table != nil {
			now.table.use += s.table.use - s.objects()
		}
	case s.table != nil:
		return nil
	}
	return now
}

func inOrder(slots []slot) []slot {
	slices.SortFunc(slots, func(a, b slot) int { return cmp.Compare(a.key, b.key) })
	return slots
}
