// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"maps"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// A memory is what a connection knows of our table from its own changes. It holds for one generation of the ruleset: a
// change that goes by it is refused with ERESTART as soon as anybody else changed anything. So while nobody does, nothing
// has to be asked for.
type memory struct {
	generation uint32
	// table is nil if there is none. If there is one, what all filters share is as it should be.
	table *table
	// links are those of the networks whose filters are as they should be. There may be others.
	links map[string]string
	// annexes are nil if they are not known.
	annexes [annexCount]*found
}

// view is what the connection remembers. The second result is false if that is not enough.
func (m *memory) view(o host.SetFilter) (v *view, enough bool) {
	if m == nil || o.Was.IsZero() && o.Filter.IsZero() {
		return nil, false
	}
	v = &view{generation: m.generation, table: m.table, annexes: m.annexes}
	v.bases, v.maps = shared(m.table != nil)
	link, known := m.links[o.Network]
	if known {
		for l := range lists {
			v.chains[l] = state{true, true}
			v.elements = append(v.elements, element{l.String(), link, verdict{unix.NFT_JUMP, l.chain(o.Network)}})
		}
	}
	// If there is a filter that was forgotten the kernel refuses to make another.
	return v, known || o.Was.IsZero()
}

// after is what is known when a change was made to what a view shows, but for the generation.
func (m *memory) after(v *view, o host.SetFilter, b *batch) *memory {
	now := &memory{generation: v.generation, links: map[string]string{}}
	if m != nil && m.generation == v.generation {
		now.links = maps.Clone(m.links)
		now.annexes = m.annexes
	}
	for i, a := range annexes {
		if v.annexes[i] != nil {
			now.annexes[i] = v.annexes[i].after(a, o)
		}
	}
	if !b.emptied {
		now.table = &table{use: b.objects}
		if v.table != nil {
			now.table.use += v.table.use
		}
	}
	delete(now.links, o.Network)
	if !o.Filter.IsZero() {
		now.links[o.Network] = o.Filter.Link
	}
	return now
}
