// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// servers is what there is of the table of family bridge, which repairs what DHCP servers answer to guests on pairs of
// virtual Ethernet devices. The kernel leaves the checksum of such packets to a network card that never comes. Zero is no
// checksum, and what a client takes that looks at it. On a tap the same would spoil the checksum that is filled in there.
type servers struct {
	table *table
	set   bool
	chain state
	// owners are the networks of the addresses in the set; empty where somebody else put one there.
	owners map[netip.Addr]string
}

// repairs is the base chain of the table.
var repairs = base{name: "output", kind: "filter", hook: "output", priority: "filter", hooknum: 3, prionum: -200, leads: make([]lead, 1)}

// metaOifkind is the kind of the device that a packet leaves by: NFT_META_OIFKIND.
const metaOifkind = 27

// repair is its only rule.
func repair() []expr {
	return []expr{
		loadMeta{metaOifkind, unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, linkKey("veth")},
		loadMeta{unix.NFT_META_PROTOCOL, unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, "\x08\x00"},
		loadHeader{offset: source4, length: 4, reg: unix.NFT_REG_1},
		member{serverSet, unix.NFT_REG_1},
		loadMeta{unix.NFT_META_L4PROTO, unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, string([]byte{byte(host.UDP)})},
		loadHeader{transport: true, offset: 0, length: 4, reg: unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, "\x00\x43\x00\x44"},
		count{},
		loadValue{unix.NFT_REG_1, "\x00\x00"},
		zeroChecksum{unix.NFT_REG_1},
	}
}

// whole reports whether answers from the addresses in the set are repaired.
func (s *servers) whole() bool { return s.table != nil && !s.table.dormant && s.set && s.chain.whole }

// of are the addresses of a network whose answers are repaired.
func (s *servers) of(network string) (addrs []netip.Addr) {
	if !s.whole() {
		return nil
	}
	for addr, owner := range s.owners {
		if owner == network {
			addrs = append(addrs, addr)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}

// free refuses an address that is another network's.
func (s *servers) free(o host.SetFilter) error {
	if s == nil {
		return nil
	}
	for _, addr := range o.Filter.DHCP {
		if owner := s.owners[addr]; owner != "" && owner != o.Network {
			return fmt.Errorf("DHCP server address %s: it is one of network %s: %w", addr, owner, fs.ErrExist)
		}
	}
	return nil
}

// change makes the set hold a network's addresses, and the table what it should be while there are any.
func (s *servers) change(b *batch, o host.SetFilter) {
	if s == nil {
		return
	}
	b.family = unix.NFPROTO_BRIDGE
	defer func() { b.family = 0 }()
	left := s.left(o)
	if len(left) == 0 {
		s.remove(b)
		return
	}
	switch {
	case s.table == nil:
		b.addTable(made)
	case s.table.dormant:
		b.addTable(netlink.Create)
	}
	if !s.set {
		b.addServerSet()
	}
	if s.chain.there && !s.chain.whole {
		b.deleteChain(repairs.name)
	}
	if !s.chain.whole {
		b.addHook(repairs)
		b.addProgram(repairs.name, repair())
	}
	s.members(b, left)
}

// members makes the set hold these addresses, each with the network it belongs to.
func (s *servers) members(b *batch, want map[netip.Addr]string) {
	for _, addr := range inOrder(s.owners) {
		if owner, keep := want[addr]; !keep || owner != s.owners[addr] {
			b.server(unix.NFT_MSG_DELSETELEM, 0, "delete", addr, "")
		}
	}
	for _, addr := range inOrder(want) {
		if owner, there := s.owners[addr]; !there || owner != want[addr] {
			b.server(unix.NFT_MSG_NEWSETELEM, made, "add", addr, want[addr])
		}
	}
}

// remove deletes what is there when no network needs it, but nothing that somebody else put there.
func (s *servers) remove(b *batch) {
	if s.table == nil {
		return
	}
	var own uint32
	for _, there := range []bool{s.set, s.chain.there} {
		if there {
			own++
		}
	}
	if s.table.use == own {
		b.dropTable()
		return
	}
	s.members(b, nil)
}

// left are the addresses that are in the set when an operation was carried out.
func (s *servers) left(o host.SetFilter) map[netip.Addr]string {
	owners := map[netip.Addr]string{}
	for addr, owner := range s.owners {
		if owner != o.Network {
			owners[addr] = owner
		}
	}
	for _, addr := range o.Filter.DHCP {
		owners[addr] = o.Network
	}
	return owners
}

// after is what there is when an operation was carried out; nil is that this has to be asked for.
func (s *servers) after(o host.SetFilter) *servers {
	now := &servers{owners: s.left(o)}
	switch {
	case len(now.owners) > 0:
		// Others may have put more into the table, but who knows what now is deletes the table only if that is still so.
		now.table = &table{use: 2}
		if s.table != nil {
			now.table.use = s.table.use
			for _, there := range []bool{s.set, s.chain.there} {
				if !there {
					now.table.use++
				}
			}
		}
		now.set, now.chain = true, state{true, true}
	case s.table != nil:
		return nil
	}
	return now
}

func inOrder(addrs map[netip.Addr]string) []netip.Addr {
	var list []netip.Addr
	for addr := range addrs {
		list = append(list, addr)
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

const serverSet = "dhcp"

// typeAddr4 is nft's number for addresses of IPv4.
const typeAddr4 = 7

func (b *batch) addServerSet() {
	b.maps++
	b.change(unix.NFT_MSG_NEWSET, made, "add set", serverSet, func(w *writer) {
		w.text(unix.NFTA_SET_TABLE, Table)
		w.text(unix.NFTA_SET_NAME, serverSet)
		w.number(unix.NFTA_SET_FLAGS, 0)
		w.number(unix.NFTA_SET_KEY_TYPE, typeAddr4)
		w.number(unix.NFTA_SET_KEY_LEN, 4)
		w.number(unix.NFTA_SET_ID, b.maps)
		// For nft as well: the keys are in network byte order.
		w.bytes(unix.NFTA_SET_USERDATA, binary.NativeEndian.AppendUint32([]byte{0, 4}, 2))
	})
}

// server adds or deletes one address. Its network is what nft calls a comment.
func (b *batch) server(kind int, flags netlink.HeaderFlags, verb string, addr netip.Addr, network string) {
	b.change(kind, flags, verb+" DHCP server", addr.String(), func(w *writer) {
		w.text(unix.NFTA_SET_ELEM_LIST_TABLE, Table)
		w.text(unix.NFTA_SET_ELEM_LIST_SET, serverSet)
		w.nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
			w.nested(unix.NFTA_LIST_ELEM, func() {
				w.value(unix.NFTA_SET_ELEM_KEY, string(addr.AsSlice()))
				if network != "" {
					w.bytes(unix.NFTA_SET_ELEM_USERDATA, append([]byte{0, byte(len(network) + 1)}, network+"\x00"...))
				}
			})
		})
	})
}

// servers asks for the table of family bridge.
func (s *socket) servers() (found *servers, interrupted bool, err error) {
	found = &servers{owners: map[netip.Addr]string{}}
	m := &messages{family: unix.NFPROTO_BRIDGE}
	m.askTable()
	m.askChain(repairs.name)
	m.askMap(serverSet)
	err = s.ask(m, func(a answer) {
		switch a.kind {
		case unix.NFT_MSG_NEWTABLE:
			t := readTable(a.body)
			found.table = &t
		case unix.NFT_MSG_NEWCHAIN:
			c, _ := readChain(a.body)
			found.chain = state{there: true, whole: c.is(repairs)}
		case unix.NFT_MSG_NEWSET:
			found.set = true
		}
	})
	if err != nil || found.table == nil {
		return found, false, err
	}
	var changed [2]bool
	list := &messages{family: unix.NFPROTO_BRIDGE}
	list.listRules(repairs.name)
	var rules []rule
	changed[0], err = s.all(list, func(a answer) {
		if r, ok := readRuleMessage(a.body); ok {
			rules = append(rules, r)
		}
	})
	found.chain.whole = found.chain.whole && len(rules) == 1 && slices.Equal(rules[0].steps, repair())
	list = &messages{family: unix.NFPROTO_BRIDGE}
	list.listElements(serverSet)
	var failed error
	changed[1], failed = s.all(list, func(a answer) {
		all := readAttrs(a.body)
		each(all.take(unix.NFTA_SET_ELEM_LIST_ELEMENTS), func(_ uint16, element []byte) {
			if addr, network := readServer(element); addr.IsValid() {
				found.owners[addr] = network
			}
		})
	})
	return found, changed != [2]bool{}, errors.Join(err, failed)
}

// readServer reads an element of the set.
func readServer(b []byte) (addr netip.Addr, network string) {
	e := readAttrs(b)
	addr, _ = netip.AddrFromSlice([]byte(e.value(unix.NFTA_SET_ELEM_KEY)))
	if data := e.take(unix.NFTA_SET_ELEM_USERDATA); len(data) > 2 && data[0] == 0 && int(data[1]) <= len(data)-2 {
		network = unix.ByteSliceToString(data[2 : 2+int(data[1])])
	}
	if host.CheckID(network) != nil {
		network = ""
	}
	return addr, network
}
