// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"

	"github.com/go-virtnet/virtnet/network/schema"
)

// An IP is an <ip> element: an address of the bridge, which is the gateway of the guests, and what is
// served to them from there.
//
//	<ip address='192.168.122.1' netmask='255.255.255.0'>
//	  <tftp root='/srv/tftp'/>
//	  <dhcp>
//	    <range start='192.168.122.2' end='192.168.122.254'/>
//	  </dhcp>
//	</ip>
type IP struct {
	// Family is ipv4 when absent.
	Family  Family      `xml:"family,attr,omitempty" doc:"blank"`
	Address schema.Addr `xml:"address,attr" doc:"blank"`
	// Netmask and PrefixLen say how large the subnet is; one of them at most.
	Netmask   schema.Addr   `xml:"netmask,attr" doc:"blank"`
	PrefixLen schema.Number `xml:"prefix,attr,omitempty"`
	// LocalPTR keeps questions about addresses of the subnet from other servers. Absent is no.
	LocalPTR schema.YesNo `xml:"localPtr,attr,omitempty"`

	TFTP *TFTP `xml:"tftp"`
	DHCP *DHCP `xml:"dhcp"`
	schema.Extra
}

// A Family is IPv4 or IPv6. The zero Family is absent, which means IPv4.
type Family uint8

// The families.
const (
	IPv4 Family = iota + 1
	IPv6
)

var familyWords = []string{"", "ipv4", "ipv6"}

// String returns the word of the document, "" when absent.
func (f Family) String() string { return schema.Word(familyWords, f) }

// MarshalText returns the same text as String.
func (f Family) MarshalText() ([]byte, error) { return schema.MarshalWord(familyWords, f) }

// UnmarshalText accepts the two words of the document.
func (f *Family) UnmarshalText(text []byte) error { return schema.UnmarshalWord(familyWords, text, f) }

// UnmarshalLax reads text as libvirt does for addresses in guests: what is no family is absent.
func (f *Family) UnmarshalLax(text []byte) error {
	if f.UnmarshalText(text) != nil {
		*f = 0
	}
	return nil
}

// has reports whether a is an address of the family.
func (f Family) has(a schema.Addr) bool {
	if f == IPv6 {
		return a.Is6()
	}
	return a.Is4()
}

// Prefix returns the address with the length of its subnet, such as 192.168.122.1/24, and false when the
// document gives none. Without a netmask and a prefix the length is the natural one: that of the class of
// an IPv4 address, and 64 for IPv6.
func (p *IP) Prefix() (netip.Prefix, bool) {
	bits, ok := p.bits()
	if !ok {
		return netip.Prefix{}, false
	}
	a := p.Address.WithZone("")
	if bits > a.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, bits), true
}

func (p *IP) bits() (int, bool) {
	switch {
	case !p.Address.Given():
		return 0, false
	case p.PrefixLen.Uint() > 128:
		return 0, false
	case p.PrefixLen.Uint() > 0:
		return int(p.PrefixLen.Uint()), true
	case p.Netmask.Given():
		return schema.MaskLen(p.Netmask.Addr)
	case p.Address.IsUnspecified():
		return 0, true
	case p.Address.Is6():
		return 64, true
	}
	return naturalBits(p.Address)
}

// naturalBits returns the length of the network of a class that an IPv4 address is in; the last classes have none.
func naturalBits(a schema.Addr) (int, bool) {
	switch first := a.As4()[0]; {
	case first < 128:
		return 8, true
	case first < 192:
		return 16, true
	case first < 224:
		return 24, true
	}
	return 0, false
}

// A TFTP is a <tftp> element: a folder of the host that guests can read by TFTP.
//
//	<tftp root='/srv/tftp'/>
type TFTP struct {
	Root string `xml:"root,attr,omitempty"`
	schema.Extra
}
