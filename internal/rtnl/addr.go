// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// madeBy is the attribute that says who made an address (IFA_PROTO).
const madeBy = 11

// An Addr is an IP address of a link.
type Addr struct {
	// Index is that of the link.
	Index  int
	Prefix netip.Prefix
	// Automatic is whether the kernel made it by itself: a link-local IPv6 address, or one from a router advertisement.
	Automatic bool
	// Secondary is whether it goes away with another address of its subnet, as IPv4 addresses may.
	Secondary bool
}

// Addrs lists the addresses of one link, and with an index of 0 those of all.
func (c *Conn) Addrs(index int) ([]Addr, error) {
	body := make([]byte, unix.SizeofIfAddrmsg)
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	return list(c, request{kind: unix.RTM_GETADDR, body: body}, func(body []byte) (Addr, bool, error) {
		a, err := c.parseAddr(body)
		// A kernel without strict checking ignores the index.
		return a, err == nil && a.Prefix.IsValid() && (index == 0 || a.Index == index), err
	})
}

func (c *Conn) parseAddr(body []byte) (Addr, error) {
	if len(body) < unix.SizeofIfAddrmsg {
		return Addr{}, fmt.Errorf("the kernel's message about an address has %d bytes", len(body))
	}
	family, bits, flags := body[0], int(body[1]), uint32(body[2])
	a := Addr{Index: int(binary.NativeEndian.Uint32(body[4:]))}
	var local, address netip.Addr
	var maker uint8
	ad, err := netlink.NewAttributeDecoder(body[unix.SizeofIfAddrmsg:])
	if err != nil {
		return Addr{}, err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.IFA_LOCAL:
			ad.Do(parseIP(&local))
		case unix.IFA_ADDRESS:
			ad.Do(parseIP(&address))
		case unix.IFA_FLAGS:
			flags = ad.Uint32()
		case madeBy:
			maker = ad.Uint8()
		}
	}
	// IFA_ADDRESS is the other end of a point-to-point link, or the address itself where there is no IFA_LOCAL.
	if !local.IsValid() {
		local = address
	}
	a.Prefix = netip.PrefixFrom(local, bits)
	// IPv6 has another meaning for the same flag: a temporary address.
	a.Secondary = family == unix.AF_INET && flags&unix.IFA_F_SECONDARY != 0
	a.Automatic = c.automatic(local, flags, maker)
	return a, ad.Err()
}

// automatic tells an address that the kernel made by itself. Before it said so (Linux 5.18), a permanent link-local
// address that it checked for duplicates is taken for its own.
func (c *Conn) automatic(addr netip.Addr, flags uint32, maker uint8) bool {
	const fromAdvertisement, linkLocal = 2, 3 // IFAPROT_KERNEL_RA, IFAPROT_KERNEL_LL
	if maker == fromAdvertisement || maker == linkLocal {
		return true
	}
	return !c.tagsAddrs && addr.Is6() && addr.IsLinkLocalUnicast() && flags&(unix.IFA_F_PERMANENT|unix.IFA_F_NODAD) == unix.IFA_F_PERMANENT
}

func parseIP(addr *netip.Addr) func([]byte) error {
	return func(b []byte) error {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return fmt.Errorf("the kernel's address has %d bytes", len(b))
		}
		*addr = a
		return nil
	}
}

// AddAddr gives a link an address: IPv4 with the broadcast address of its subnet, IPv6 without a check for duplicates. One
// that the link has is fs.ErrExist, and IPv6 on a link that has it switched off is fs.ErrPermission.
func (c *Conn) AddAddr(index int, prefix netip.Prefix) error {
	err := c.change(request{kind: unix.RTM_NEWADDR, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, body: addrBody(index, prefix)})
	if prefix.Addr().Is6() && errors.Is(err, unix.EACCES) {
		return fmt.Errorf("IPv6 is switched off on the link (disable_ipv6): %w", err)
	}
	return err
}

// DelAddr takes an address from a link. The kernel may take others of the same subnet with it; see [Addr]. One that the
// link does not have is fs.ErrNotExist.
func (c *Conn) DelAddr(index int, prefix netip.Prefix) error {
	return c.change(request{kind: unix.RTM_DELADDR, body: addrBody(index, prefix)})
}

// addrBody is the message about an address of a link.
func addrBody(index int, prefix netip.Prefix) []byte {
	addr := prefix.Addr()
	body := make([]byte, unix.SizeofIfAddrmsg, 64)
	body[0], body[1] = unix.AF_INET, byte(prefix.Bits())
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	if addr.Is6() {
		body[0], body[2] = unix.AF_INET6, unix.IFA_F_NODAD
	}
	body = appendAddr(appendAddr(body, unix.IFA_LOCAL, addr), unix.IFA_ADDRESS, addr)
	if broadcast, ok := broadcastOf(prefix); ok {
		body = appendAddr(body, unix.IFA_BROADCAST, broadcast)
	}
	return body
}

// appendAddr appends an attribute that is an address.
func appendAddr(body []byte, attribute uint16, addr netip.Addr) []byte {
	value := addr.AsSlice()
	body = binary.NativeEndian.AppendUint16(body, uint16(unix.SizeofRtAttr+len(value)))
	body = binary.NativeEndian.AppendUint16(body, attribute)
	return append(body, value...)
}

// broadcastOf is the last address of a subnet of IPv4. One of two addresses or of one has none.
func broadcastOf(prefix netip.Prefix) (netip.Addr, bool) {
	if !prefix.Addr().Is4() || prefix.Bits() >= 31 {
		return netip.Addr{}, false
	}
	last := prefix.Addr().As4()
	binary.BigEndian.PutUint32(last[:], binary.BigEndian.Uint32(last[:])|^uint32(0)>>prefix.Bits())
	return netip.AddrFrom4(last), true
}
