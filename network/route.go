// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Route is a <route> element: a route of the host to what lies behind a guest.
//
//	<route family='ipv4' address='10.0.0.0' prefix='8' gateway='192.168.122.2' metric='5'/>
type Route struct {
	// Family is ipv4 when absent.
	Family  Family      `xml:"family,attr,omitempty"`
	Address schema.Addr `xml:"address,attr"`
	// Netmask and PrefixLen say how large the destination is; one of them at most.
	Netmask   schema.Addr   `xml:"netmask,attr"`
	PrefixLen schema.Number `xml:"prefix,attr,omitempty"`
	Gateway   schema.Addr   `xml:"gateway,attr"`
	// Metric is 1 when absent.
	Metric schema.Number `xml:"metric,attr,omitempty"`
	schema.Extra
}

// Prefix returns the destination, and false when the document gives none. Without a netmask and a
// prefix it is the network of the class that an IPv4 address is in, and everything for 0.0.0.0 and IPv6.
func (r *Route) Prefix() (netip.Prefix, bool) {
	bits := 0
	switch {
	case !r.Address.Given() || r.PrefixLen.Uint() > 128:
		return netip.Prefix{}, false
	case r.Netmask.Given():
		n, ok := schema.MaskLen(r.Netmask.Addr)
		if !ok {
			return netip.Prefix{}, false
		}
		bits = n
	case r.natural():
		n, ok := naturalBits(r.Address)
		if !ok {
			return netip.Prefix{}, false
		}
		bits = n
	default:
		bits = int(r.PrefixLen.Uint())
	}
	a := r.Address.WithZone("")
	if bits > a.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, bits), true
}

// natural reports whether the class of the address says how large the destination is.
func (r *Route) natural() bool {
	return !r.Netmask.Given() && !r.PrefixLen.Given() && r.Address.Is4() && !r.Address.IsUnspecified()
}
