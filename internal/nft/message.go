// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// messages are netlink messages that are sent together. Their place, from 0, is their sequence number until they are
// sent.
type messages struct {
	out writer
	// family and table are what they are about; zero is the table of filters.
	family uint8
	table  string
	// what each of them is about, for errors.
	what []what
}

// what names a message in an error.
type what struct {
	verb, object string
	// adds is set where something new is made.
	adds bool
}

func (w what) String() string { return w.verb + " " + w.object }

// where a netlink header and the header of netfilter behind it have what is written later.
const (
	atFlags    = 6
	atSequence = 8
	headers    = unix.NLMSG_HDRLEN + 4
)

// about makes the messages that follow ones about an annex.
func (m *messages) about(a annex) { m.family, m.table = familyNumber(a.family), a.table }

// tableName is the table that the messages are about.
func (m *messages) tableName() string {
	if m.table == "" {
		return Table
	}
	return m.table
}

// message begins a message of nf_tables; body writes its attributes.
func (m *messages) message(kind int, flags netlink.HeaderFlags, about what, body func(w *writer)) {
	family := m.family
	if family == 0 {
		family = unix.NFPROTO_INET
	}
	m.raw(unix.NFNL_SUBSYS_NFTABLES<<8|uint16(kind), flags, family, 0, about, body)
}

func (m *messages) raw(kind uint16, flags netlink.HeaderFlags, family uint8, resource uint16, about what, body func(w *writer)) {
	start := len(m.out)
	w := binary.NativeEndian.AppendUint32(m.out, 0)
	w = binary.NativeEndian.AppendUint16(w, kind)
	w = binary.NativeEndian.AppendUint16(w, uint16(netlink.Request|flags))
	w = binary.NativeEndian.AppendUint32(w, uint32(len(m.what)))
	w = binary.NativeEndian.AppendUint32(w, 0)
	w = append(w, family, unix.NFNETLINK_V0)
	m.out = binary.BigEndian.AppendUint16(w, resource)
	if body != nil {
		body(&m.out)
	}
	binary.NativeEndian.PutUint32(m.out[start:], uint32(len(m.out)-start))
	m.what = append(m.what, about)
}

// acknowledge asks for an answer to the message that begins at that place.
func (m *messages) acknowledge(start int) {
	flags := binary.NativeEndian.Uint16(m.out[start+atFlags:])
	binary.NativeEndian.PutUint16(m.out[start+atFlags:], flags|uint16(netlink.Acknowledge))
}

// number gives the messages their sequence numbers, from first on.
func (m *messages) number(first uint32) {
	for b := []byte(m.out); len(b) > 0; first++ {
		binary.NativeEndian.PutUint32(b[atSequence:], first)
		b = b[binary.NativeEndian.Uint32(b):]
	}
}

// Questions. Each is about the table that the messages are about.

var questionGeneration = what{verb: "ask for", object: "generation"}

func (m *messages) askGeneration() {
	m.message(unix.NFT_MSG_GETGEN, 0, questionGeneration, nil)
}

func (m *messages) askTable() {
	m.message(unix.NFT_MSG_GETTABLE, 0, what{verb: "ask for table", object: m.tableName()}, func(w *writer) {
		w.text(unix.NFTA_TABLE_NAME, m.tableName())
	})
}

func (m *messages) askChain(name string) {
	m.message(unix.NFT_MSG_GETCHAIN, 0, what{verb: "ask for chain", object: name}, func(w *writer) {
		w.text(unix.NFTA_CHAIN_TABLE, m.tableName())
		w.text(unix.NFTA_CHAIN_NAME, name)
	})
}

func (m *messages) askBases() {
	for _, b := range bases() {
		m.askChain(b.name)
	}
}

func (m *messages) askMap(name string) {
	m.message(unix.NFT_MSG_GETSET, 0, what{verb: "ask for map", object: name}, func(w *writer) {
		w.text(unix.NFTA_SET_TABLE, m.tableName())
		w.text(unix.NFTA_SET_NAME, name)
	})
}

func (m *messages) askElement(set, link string) {
	m.message(unix.NFT_MSG_GETSETELEM, 0, what{verb: "ask for entry of " + link + " in map", object: set}, func(w *writer) {
		w.element(set, link, nil)
	})
}

func (m *messages) listChains() {
	m.message(unix.NFT_MSG_GETCHAIN, netlink.Dump, what{verb: "list", object: "chains"}, nil)
}

func (m *messages) listElements(set string) {
	m.message(unix.NFT_MSG_GETSETELEM, netlink.Dump, what{verb: "list map", object: set}, func(w *writer) {
		w.text(unix.NFTA_SET_ELEM_LIST_TABLE, m.tableName())
		w.text(unix.NFTA_SET_ELEM_LIST_SET, set)
	})
}

// listRules lists the rules of one chain, or of all if its name is empty.
func (m *messages) listRules(chain string) {
	m.message(unix.NFT_MSG_GETRULE, netlink.Dump, what{verb: "list rules of chain", object: chain}, func(w *writer) {
		w.text(unix.NFTA_RULE_TABLE, m.tableName())
		if chain != "" {
			w.text(unix.NFTA_RULE_CHAIN, chain)
		}
	})
}

// element writes one element of a map, with what it leads to unless that is nil.
func (w *writer) element(set, link string, leads *verdict) {
	w.text(unix.NFTA_SET_ELEM_LIST_TABLE, Table)
	w.text(unix.NFTA_SET_ELEM_LIST_SET, set)
	w.nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
		w.nested(unix.NFTA_LIST_ELEM, func() {
			w.value(unix.NFTA_SET_ELEM_KEY, linkKey(link))
			if leads != nil {
				w.verdict(unix.NFTA_SET_ELEM_DATA, *leads)
			}
		})
	})
}
