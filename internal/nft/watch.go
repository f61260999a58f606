// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"golang.org/x/sys/unix"
)

// A Monitor hears what anybody changes in the table of filters from when it is opened. It is for one caller at a time.
type Monitor struct{ socket *socket }

// Monitor opens a monitor. A kernel without nf_tables wraps errors.ErrUnsupported.
func (c *Conn) Monitor() (*Monitor, error) {
	m := &Monitor{}
	err := c.enter(func() (err error) {
		if m.socket, err = newSocket(); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(m.socket.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, unix.NFNLGRP_NFTABLES); err != nil {
			return errors.Join(rtnl.Translate(os.NewSyscallError("setsockopt", err)), m.Close())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("nf_tables: %w", err)
	}
	return m, nil
}

// Close closes the monitor.
func (m *Monitor) Close() error { return m.socket.close() }

// FD is a descriptor that can be read when something has changed.
func (m *Monitor) FD() int { return m.socket.fd }

// Read hands over the networks whose filters have changed and the links whose limits have, without waiting for more: the
// empty name is a change of what all have together. Lost is that changes were lost.
func (m *Monitor) Read(take, limited func(name string)) (lost bool, err error) {
	for {
		data, err := m.socket.receive(unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return lost, nil
		case errors.Is(err, unix.ENOBUFS):
			lost = true
			continue
		case err != nil:
			return lost, err
		}
		messages, err := syscall.ParseNetlinkMessage(data)
		if err != nil {
			return lost, fmt.Errorf("the kernel's notice: %w", err)
		}
		for _, message := range messages {
			notice(message, take, limited)
		}
	}
}

// notice hands over what a message is about if that is a table of ours.
func notice(m syscall.NetlinkMessage, take, limited func(name string)) {
	behind := headers - unix.NLMSG_HDRLEN
	if m.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES || len(m.Data) < behind {
		return
	}
	a := readAttrs(m.Data[behind:])
	// The name of the table is the first attribute of all messages.
	table := a.text(unix.NFTA_TABLE_NAME)
	limits := table == Table && m.Data[0] == unix.NFPROTO_NETDEV
	if !limits && !(place{family: m.Data[0], table: table}).ours() {
		return
	}
	main := table == Table && m.Data[0] == unix.NFPROTO_INET
	owner := func(chain string) string {
		_, network, _ := chainOwner(chain)
		return network
	}
	if limits {
		owner = func(chain string) string { return strings.TrimPrefix(chain, limitPrefix) }
		take = limited
	}
	switch m.Header.Type & 0xff {
	case unix.NFT_MSG_NEWTABLE, unix.NFT_MSG_DELTABLE, unix.NFT_MSG_NEWSET, unix.NFT_MSG_DELSET:
		take("")
	case unix.NFT_MSG_NEWCHAIN, unix.NFT_MSG_DELCHAIN:
		take(owner(a.text(unix.NFTA_CHAIN_NAME)))
	case unix.NFT_MSG_NEWRULE, unix.NFT_MSG_DELRULE:
		take(owner(a.text(unix.NFTA_RULE_CHAIN)))
	case unix.NFT_MSG_NEWSETELEM, unix.NFT_MSG_DELSETELEM:
		each(a.take(unix.NFTA_SET_ELEM_LIST_ELEMENTS), func(_ uint16, element []byte) {
			if main {
				take(owner(leadsTo(element)))
				return
			}
			_, h := readEntry(element)
			take(h.owner)
		})
	}
}

// leadsTo is the chain that an element of a map leads to.
func leadsTo(element []byte) string {
	e := readAttrs(element)
	data := e.nested(unix.NFTA_SET_ELEM_DATA)
	v := data.nested(unix.NFTA_DATA_VERDICT)
	return v.text(unix.NFTA_VERDICT_CHAIN)
}
