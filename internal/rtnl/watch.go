// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Notice is one change that the kernel tells of by itself.
type Notice struct {
	Kind NoticeKind
	// Index is that of the link, and 0 if it is about no link.
	Index int
	// Name is the name of the link that is there, for LinkThere only.
	Name string
}

// A NoticeKind is what a notice is about.
type NoticeKind int

const (
	// Lost is that notices were lost.
	Lost NoticeKind = iota
	// LinkThere is a link that has been made or changed.
	LinkThere
	// LinkGone is a link that has been removed, or discarded, of which more may be told.
	LinkGone
	// LinkOther is something that belongs to a link: its addresses, its settings of IPv6, its place in a bridge.
	LinkOther
	// RouteNotice is a route that has been added or removed.
	RouteNotice
	// ForwardingNotice is the forwarding of the namespace.
	ForwardingNotice
	// ShapeNotice is a queueing discipline, class or filter of the link.
	ShapeNotice
)

// noticeGroups are what a monitor hears.
var noticeGroups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_TC, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_IFINFO, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
}

// sizeofTcMsg is the size of struct tcmsg.
const sizeofTcMsg = 20

// noticeRoom is for notices that wait for a reader. A network of libvirt's usual kind makes about 20 KiB of them.
const noticeRoom = 1 << 20

// A Monitor hears what changes in a network namespace from when it is opened. It is for one caller at a time.
type Monitor struct{ socket *socket }

// Monitor opens a monitor.
func (c *Conn) Monitor() (*Monitor, error) {
	m := &Monitor{}
	err := c.enter(func() (err error) {
		if m.socket, err = newSocket(); err != nil {
			return err
		}
		for _, group := range noticeGroups {
			if err := unix.SetsockoptInt(m.socket.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
				return errors.Join(Translate(os.NewSyscallError("setsockopt", err)), m.Close())
			}
		}
		if unix.SetsockoptInt(m.socket.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, noticeRoom) != nil {
			_ = unix.SetsockoptInt(m.socket.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, noticeRoom)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", err)
	}
	return m, nil
}

// Close closes the monitor.
func (m *Monitor) Close() error { return m.socket.close() }

// FD is a descriptor that can be read when there are notices.
func (m *Monitor) FD() int { return m.socket.fd }

// Read hands over the notices that wait, without waiting for more.
func (m *Monitor) Read(take func(Notice)) error {
	for {
		data, err := m.socket.receiveNow()
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ENOBUFS):
			take(Notice{})
			continue
		case err != nil:
			return err
		}
		for len(data) > 0 {
			var message netlink.Message
			if message, data, err = nextMessage(data); err != nil {
				return err
			}
			if n, ok := notice(uint16(message.Header.Type), message.Data); ok {
				take(n)
			}
		}
	}
}

// notice reads one message. It is false for what nobody needs to know.
func notice(kind uint16, body []byte) (Notice, bool) {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return linkNotice(kind, body)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return indexed(LinkOther, body, unix.SizeofIfAddrmsg)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return routeNotice(body)
	case unix.RTM_NEWNETCONF, unix.RTM_DELNETCONF:
		const header, index, forwarding, all = 4, 1, 2, ^uint32(0) // netconfmsg, NETCONFA_IFINDEX, NETCONFA_FORWARDING, NETCONFA_IFINDEX_ALL
		link, about := attribute(body, header, index)
		_, tells := attribute(body, header, forwarding)
		return Notice{Kind: ForwardingNotice}, about && tells && link == all
	case unix.RTM_NEWQDISC, unix.RTM_DELQDISC, unix.RTM_NEWTCLASS, unix.RTM_DELTCLASS, unix.RTM_NEWTFILTER, unix.RTM_DELTFILTER:
		return indexed(ShapeNotice, body, sizeofTcMsg)
	}
	return Notice{}, false
}

// indexed reads a message whose header has the index of a link behind its first four bytes.
func indexed(kind NoticeKind, body []byte, header int) (Notice, bool) {
	if len(body) < header {
		return Notice{}, false
	}
	return Notice{Kind: kind, Index: int(binary.NativeEndian.Uint32(body[4:]))}, true
}

// linkNotice tells the messages about a link itself from those about what a family makes of it: a link that leaves a
// bridge is told as one that is removed, of the family of bridges.
func linkNotice(kind uint16, body []byte) (Notice, bool) {
	n, ok := indexed(LinkOther, body, unix.SizeofIfInfomsg)
	if !ok || body[0] != unix.AF_UNSPEC {
		return n, ok
	}
	if kind == unix.RTM_DELLINK {
		n.Kind = LinkGone
		return n, true
	}
	ad, err := netlink.NewAttributeDecoder(body[unix.SizeofIfInfomsg:])
	if err != nil {
		return n, true
	}
	for ad.Next() {
		switch {
		case ad.Type() == unix.IFLA_GROUP && isDiscarded(ad.Uint32()):
			return Notice{Kind: LinkGone, Index: n.Index}, true
		case ad.Type() == unix.IFLA_IFNAME:
			n.Kind, n.Name = LinkThere, ad.String()
		}
	}
	return n, true
}

// routeNotice leaves out the routes that the kernel keeps for itself.
func routeNotice(body []byte) (Notice, bool) {
	const table, flags = 4, 8
	if len(body) < unix.SizeofRtMsg || body[table] == unix.RT_TABLE_LOCAL || binary.NativeEndian.Uint32(body[flags:])&unix.RTM_F_CLONED != 0 {
		return Notice{}, false
	}
	link, _ := attribute(body, unix.SizeofRtMsg, unix.RTA_OIF)
	return Notice{Kind: RouteNotice, Index: int(link)}, true
}

// attribute finds a number among the attributes behind a header.
func attribute(body []byte, header int, kind uint16) (value uint32, found bool) {
	if len(body) < header {
		return 0, false
	}
	ad, err := netlink.NewAttributeDecoder(body[header:])
	if err != nil {
		return 0, false
	}
	for ad.Next() {
		if ad.Type() == kind && len(ad.Bytes()) == 4 {
			value, found = ad.Uint32(), true
		}
	}
	return value, found
}
