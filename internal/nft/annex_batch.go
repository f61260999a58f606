// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// typeOf is nft's number for a kind of keys or data. Several fields are put together, six bits each.
func typeOf(fields []field) (kind uint32) {
	for _, f := range fields {
		kind = kind<<6 | f.number
	}
	return kind
}

func orderOf(fields []field) uint32 {
	if len(fields) == 1 {
		return fields[0].order
	}
	return mixedOrder
}

// addSet makes a set of an annex, or a map.
func (b *batch) addSet(s annexSet) {
	b.maps++
	b.change(unix.NFT_MSG_NEWSET, made, "add set", s.name, func(w *writer) {
		w.text(unix.NFTA_SET_TABLE, b.tableName())
		w.text(unix.NFTA_SET_NAME, s.name)
		w.number(unix.NFTA_SET_FLAGS, 0)
		w.number(unix.NFTA_SET_KEY_TYPE, typeOf(s.key))
		w.number(unix.NFTA_SET_KEY_LEN, uint32(sizeOf(s.key)))
		orders := binary.NativeEndian.AppendUint32([]byte{0, 4}, orderOf(s.key))
		if s.data != nil {
			w.number(unix.NFTA_SET_FLAGS, unix.NFT_SET_MAP)
			w.number(unix.NFTA_SET_DATA_TYPE, typeOf(s.data))
			w.number(unix.NFTA_SET_DATA_LEN, uint32(sizeOf(s.data)))
			orders = binary.NativeEndian.AppendUint32(append(orders, 1, 4), orderOf(s.data))
		}
		w.number(unix.NFTA_SET_ID, b.maps)
		// This is for nft as well.
		w.bytes(unix.NFTA_SET_USERDATA, orders)
	})
}

// atOnce is how many elements go into one message, whose attributes have 64 KiB at most.
const atOnce = 256

// addEntries adds entries, each with its network, which is what nft calls a comment.
func (b *batch) addEntries(s annexSet, slots []slot, held map[slot]holding) {
	b.elements(unix.NFT_MSG_NEWSETELEM, made, "add", s, slots, func(w *writer, at slot) {
		w.value(unix.NFTA_SET_ELEM_KEY, at.key)
		h := held[at]
		if h.data != "" {
			w.value(unix.NFTA_SET_ELEM_DATA, h.data)
		}
		if h.owner != "" {
			w.bytes(unix.NFTA_SET_ELEM_USERDATA, append([]byte{0, byte(len(h.owner) + 1)}, h.owner+"\x00"...))
		}
	})
}

func (b *batch) deleteEntries(s annexSet, slots []slot) {
	b.elements(unix.NFT_MSG_DELSETELEM, 0, "delete", s, slots, func(w *writer, at slot) {
		w.value(unix.NFTA_SET_ELEM_KEY, at.key)
	})
}

func (b *batch) elements(kind int, flags netlink.HeaderFlags, verb string, s annexSet, slots []slot, put func(*writer, slot)) {
	for some := range slices.Chunk(slots, atOnce) {
		b.change(kind, flags, verb+" in "+s.name, valueText(some[0].key, s.key), func(w *writer) {
			w.text(unix.NFTA_SET_ELEM_LIST_TABLE, b.tableName())
			w.text(unix.NFTA_SET_ELEM_LIST_SET, s.name)
			w.nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
				for _, at := range some {
					w.nested(unix.NFTA_LIST_ELEM, func() { put(w, at) })
				}
			})
		})
	}
}

// annex asks for what there is of an annex.
func (s *socket) annex(number int) (f *found, interrupted bool, err error) {
	a := annexes[number]
	f = a.nothing()
	programs := annexPrograms[number]
	if f.table, err = s.annexTable(a); err != nil || f.table == nil {
		return f, false, err
	}
	m := &messages{}
	m.about(a)
	for _, c := range a.chains {
		m.askChain(c.name)
	}
	for _, set := range a.sets {
		m.askMap(set.name)
	}
	err = s.ask(m, func(answer answer) {
		switch answer.kind {
		case unix.NFT_MSG_NEWCHAIN:
			i := answer.message
			c, _ := readChain(answer.body, a.table)
			f.chains[i] = state{there: true, whole: c.is(a.chains[i].base, len(programs[i]))}
		case unix.NFT_MSG_NEWSET:
			f.sets[answer.message-len(a.chains)] = true
		}
	})
	if err != nil {
		return nil, false, err
	}
	for i := range a.chains {
		changed, failed := s.annexChain(a, i, programs[i], &f.chains[i])
		interrupted, err = interrupted || changed, errors.Join(err, failed)
	}
	for i := range a.sets {
		changed, failed := s.annexSet(a, i, f.held)
		interrupted, err = interrupted || changed, errors.Join(err, failed)
	}
	return f, interrupted, err
}

// annexTable is nil if there is none.
func (s *socket) annexTable(a annex) (found *table, err error) {
	m := &messages{}
	m.about(a)
	m.askTable()
	err = s.ask(m, func(answer answer) {
		t := readTable(answer.body)
		found = &t
	})
	return found, err
}

// annexChain reads whether a chain has the rules that it should have.
func (s *socket) annexChain(a annex, i int, programs [][]expr, c *state) (interrupted bool, err error) {
	var steps [][]expr
	list := &messages{}
	list.about(a)
	list.listRules(a.chains[i].name)
	interrupted, err = s.all(list, func(answer answer) {
		if r, ok := readRuleMessage(answer.body, a.table); ok {
			steps = append(steps, r.steps)
		}
	})
	c.whole = c.whole && slices.EqualFunc(steps, programs, slices.Equal[[]expr])
	return interrupted, err
}

// annexSet reads the elements of a set.
func (s *socket) annexSet(a annex, i int, held map[slot]holding) (interrupted bool, err error) {
	list := &messages{}
	list.about(a)
	list.listElements(a.sets[i].name)
	return s.all(list, func(answer answer) {
		all := readAttrs(answer.body)
		each(all.take(unix.NFTA_SET_ELEM_LIST_ELEMENTS), func(_ uint16, element []byte) {
			key, h := readEntry(element)
			held[slot{i, key}] = h
		})
	})
}

// readEntry reads an element of a set of an annex.
func readEntry(b []byte) (key string, h holding) {
	e := readAttrs(b)
	key, h.data = e.value(unix.NFTA_SET_ELEM_KEY), e.value(unix.NFTA_SET_ELEM_DATA)
	if data := e.take(unix.NFTA_SET_ELEM_USERDATA); len(data) > 2 && data[0] == 0 && int(data[1]) <= len(data)-2 {
		h.owner = unix.ByteSliceToString(data[2 : 2+int(data[1])])
	}
	if host.CheckID(h.owner) != nil {
		h.owner = ""
	}
	return key, h
}
