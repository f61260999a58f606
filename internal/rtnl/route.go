// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Route is a unicast route: one next hop of it, if it has several.
type Route struct {
	Dest netip.Prefix
	// Gateway is not valid for a network on the link itself.
	Gateway netip.Addr
	// Index is that of the link.
	Index  int
	Metric int
	Table  int
}

// Routes lists the unicast routes of one family, of all tables but the local one. Those to link-local and multicast addresses
// of IPv6, which each link has, are left out.
func (c *Conn) Routes(ipv6 bool) ([]Route, error) {
	family := byte(unix.AF_INET)
	if ipv6 {
		family = unix.AF_INET6
	}
	// The kernel leaves out what is not unicast: three of four routes, on a host of bridges.
	body := make([]byte, unix.SizeofRtMsg)
	body[0], body[7] = family, unix.RTN_UNICAST
	found, err := list(c, request{kind: unix.RTM_GETROUTE, body: body}, func(body []byte) ([]Route, bool, error) {
		routes, err := parseRoute(family, body)
		return routes, len(routes) > 0, err
	})
	return slices.Concat(found...), err
}

// parseRoute is a route as one route for each of its next hops; none if it is not one of those wanted. A kernel without IPv6
// answers with the routes of the families that it has.
func parseRoute(family byte, body []byte) ([]Route, error) {
	if len(body) < unix.SizeofRtMsg {
		return nil, fmt.Errorf("the kernel's message about a route has %d bytes", len(body))
	}
	if body[0] != family || body[7] != unix.RTN_UNICAST {
		return nil, nil
	}
	to, bits := anywhere(family), int(body[1])
	r := Route{Table: int(body[4])}
	var hops []Route
	ad, err := netlink.NewAttributeDecoder(body[unix.SizeofRtMsg:])
	if err != nil {
		return nil, err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.RTA_DST:
			ad.Do(parseIP(&to))
		case unix.RTA_TABLE:
			r.Table = int(ad.Uint32())
		case unix.RTA_PRIORITY:
			r.Metric = int(ad.Uint32())
		case unix.RTA_MULTIPATH:
			ad.Do(func(b []byte) (err error) { hops, err = parseHops(b); return err })
		default:
			r.parseHop(ad)
		}
	}
	r.Dest = netip.PrefixFrom(to, bits)
	if err := ad.Err(); err != nil || r.Table == unix.RT_TABLE_LOCAL || to.Is6() && (to.IsLinkLocalUnicast() || to.IsMulticast()) {
		return nil, err
	}
	if hops == nil {
		return []Route{r}, nil
	}
	for i := range hops {
		index, gateway := hops[i].Index, hops[i].Gateway
		hops[i] = r
		hops[i].Index, hops[i].Gateway = index, gateway
	}
	return hops, nil
}

// parseHop reads an attribute that a route and each of several next hops may have.
func (r *Route) parseHop(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case unix.RTA_OIF:
		r.Index = int(ad.Uint32())
	case unix.RTA_GATEWAY:
		ad.Do(parseIP(&r.Gateway))
	case unix.RTA_VIA: // the gateway of an IPv4 route that is an IPv6 address, behind two bytes of its family
		ad.Do(func(b []byte) error { return parseIP(&r.Gateway)(b[min(2, len(b)):]) })
	}
}

// parseHops reads the next hops of a route that has several: of each its length, flags, weight and link, and attributes.
func parseHops(b []byte) ([]Route, error) {
	var hops []Route
	for len(b) > 0 {
		if len(b) < unix.SizeofRtNexthop {
			return nil, fmt.Errorf("the kernel's next hop has %d bytes", len(b))
		}
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtNexthop || length > len(b) {
			return nil, fmt.Errorf("the kernel's next hop of %d bytes says that it has %d", len(b), length)
		}
		hop := Route{Index: int(int32(binary.NativeEndian.Uint32(b[4:])))}
		ad, err := netlink.NewAttributeDecoder(b[unix.SizeofRtNexthop:length])
		if err != nil {
			return nil, err
		}
		for ad.Next() {
			hop.parseHop(ad)
		}
		if err := ad.Err(); err != nil {
			return nil, err
		}
		hops = append(hops, hop)
		b = b[min(len(b), (length+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return hops, nil
}

// anywhere is the address of the default route.
func anywhere(family byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// AddRoute adds a route to its table. One with the same destination and metric is fs.ErrExist; a gateway that cannot be
// reached by the link is fs.ErrNotExist.
func (c *Conn) AddRoute(r Route) error { return c.changeRoute(r, (*vnl.Handle).RouteAdd) }

// DelRoute removes a route that AddRoute added. One of another origin is not touched, and counts as missing.
func (c *Conn) DelRoute(r Route) error { return c.changeRoute(r, (*vnl.Handle).RouteDel) }

func (c *Conn) changeRoute(r Route, change func(*vnl.Handle, *vnl.Route) error) error {
	library, err := c.library()
	if err != nil {
		return err
	}
	return Translate(change(library, libraryRoute(r)))
}

// libraryRoute is a route as somebody asked for it by hand (proto boot), which is how it is known again.
func libraryRoute(r Route) *vnl.Route {
	return &vnl.Route{
		LinkIndex: r.Index,
		Dst:       libraryPrefix(r.Dest),
		Gw:        r.Gateway.AsSlice(),
		Priority:  r.Metric,
		Table:     r.Table,
		Protocol:  unix.RTPROT_BOOT,
		Type:      unix.RTN_UNICAST,
	}
}

func libraryPrefix(prefix netip.Prefix) *net.IPNet {
	addr := prefix.Addr()
	return &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(prefix.Bits(), addr.BitLen())}
}
