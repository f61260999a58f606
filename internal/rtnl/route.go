// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"errors"
	"net"
	"net/netip"

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

// Routes lists the unicast routes of all tables but the local one, of both families. Those to link-local and multicast
// addresses of IPv6, which each link has, are left out.
func (c *Conn) Routes() ([]Route, error) {
	library, err := c.library()
	if err != nil {
		return nil, err
	}
	var all []Route
	for _, family := range []int{vnl.FAMILY_V4, vnl.FAMILY_V6} {
		found, err := steady(func() ([]vnl.Route, bool, error) {
			// A filter for table 0 lets all tables through, and no filter only the main one.
			found, err := library.RouteListFiltered(family, &vnl.Route{}, vnl.RT_FILTER_TABLE)
			if errors.Is(err, vnl.ErrDumpInterrupted) {
				return nil, true, nil
			}
			return found, false, Translate(err)
		})
		// A kernel without IPv6 has no such routes.
		if errors.Is(err, errors.ErrUnsupported) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			all = append(all, hops(r, family)...)
		}
	}
	return all, nil
}

// hops is a route as one route for each of its next hops; none if it is not one of those wanted.
func hops(r vnl.Route, family int) []Route {
	if r.Type != unix.RTN_UNICAST || r.Table == unix.RT_TABLE_LOCAL {
		return nil
	}
	route := Route{Index: r.LinkIndex, Metric: r.Priority, Table: r.Table, Dest: ownPrefix(r.Dst, family)}
	if to := route.Dest.Addr(); to.Is6() && (to.IsLinkLocalUnicast() || to.IsMulticast()) {
		return nil
	}
	if len(r.MultiPath) == 0 {
		route.Gateway = gateway(r.Gw, r.Via)
		return []Route{route}
	}
	var all []Route
	for _, hop := range r.MultiPath {
		route.Index, route.Gateway = hop.LinkIndex, gateway(hop.Gw, hop.Via)
		all = append(all, route)
	}
	return all
}

func gateway(ip net.IP, via vnl.Destination) netip.Addr {
	// The gateway of an IPv4 route may be an IPv6 address.
	if v, ok := via.(*vnl.Via); ok && ip == nil {
		ip = v.Addr
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// ownPrefix is a destination; none is the default route.
func ownPrefix(n *net.IPNet, family int) netip.Prefix {
	if n == nil {
		if family == vnl.FAMILY_V4 {
			return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		}
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	if family == vnl.FAMILY_V4 {
		addr = addr.Unmap()
	}
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr, bits)
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
