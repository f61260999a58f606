// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// MainTable is the number of the kernel's main routing table (RT_TABLE_MAIN).
const MainTable = 254

// A Route is a unicast route as it was seen. Routes of the local table, and those the kernel keeps for link-local and
// multicast addresses, are not facts.
type Route struct {
	Dest netip.Prefix
	// Gateway is not valid for a route to a network on the link itself.
	Gateway netip.Addr
	Link    string
	Metric  int
	// Table is the number of the routing table; that of Main is [MainTable].
	Table int
}

// String is the route in the words of ip route.
func (r Route) String() string {
	s := r.Dest.String()
	if r.Gateway.IsValid() {
		s += " via " + r.Gateway.String()
	}
	s += " dev " + r.Link
	if r.Metric != 0 {
		s += fmt.Sprintf(" metric %d", r.Metric)
	}
	if r.Table != MainTable {
		s += fmt.Sprintf(" table %d", r.Table)
	}
	return s
}

func compareRoutes(a, b Route) int {
	return cmp.Or(
		cmp.Compare(a.Table, b.Table), a.Dest.Addr().Compare(b.Dest.Addr()), cmp.Compare(a.Dest.Bits(), b.Dest.Bits()),
		cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Link, b.Link), a.Gateway.Compare(b.Gateway),
	)
}

// AddRoute adds a static route to the main table: ip route add DEST via GATEWAY dev LINK metric METRIC. A route with the
// same destination and metric is fs.ErrExist, whatever its gateway and link. A link that is missing or down, and a
// gateway that is in no network of the link, is fs.ErrNotExist; an IPv6 route through a link whose disable_ipv6 is 1
// is fs.ErrPermission, and one through an address of this machine fs.ErrInvalid.
type AddRoute struct {
	// Dest is a network: the bits below its length are zero.
	Dest    netip.Prefix
	Gateway netip.Addr
	Link    string
	// Metric has to be above 0, so that IPv6 reports what was asked for.
	Metric int
}

// DelRoute removes a route that AddRoute with the same fields added: ip route del DEST via GATEWAY dev LINK metric
// METRIC.
type DelRoute AddRoute

// Check refuses a destination with host bits, a gateway of the other family, and a metric that is none.
func (o AddRoute) Check() error {
	switch {
	case !o.Dest.IsValid() || o.Dest != o.Dest.Masked():
		return invalid("route to %s: not a network", o.Dest)
	case !o.Gateway.IsValid() || o.Gateway.Is4() != o.Dest.Addr().Is4():
		return invalid("route to %s: gateway %s", o.Dest, o.Gateway)
	case o.Metric < 1 || int64(o.Metric) > 1<<32-1:
		return invalid("route to %s: metric %d", o.Dest, o.Metric)
	}
	return CheckName(o.Link)
}

// Inverse removes the route.
func (o AddRoute) Inverse() Op { return DelRoute(o) }

// Scope is all routes.
func (o AddRoute) Scope() Scope { return Scope{Routes: true} }

// Holds if the main table has the route.
func (o AddRoute) Holds(f *Facts) bool {
	return slices.Contains(f.Routes, Route{Dest: o.Dest, Gateway: o.Gateway, Link: o.Link, Metric: o.Metric, Table: MainTable})
}

func (o AddRoute) String() string {
	return fmt.Sprintf("route add %s via %s dev %s metric %d", o.Dest, o.Gateway, o.Link, o.Metric)
}

// Check is that of AddRoute.
func (o DelRoute) Check() error { return AddRoute(o).Check() }

// Inverse adds the route again.
func (o DelRoute) Inverse() Op { return AddRoute(o) }

// Scope is all routes.
func (o DelRoute) Scope() Scope { return AddRoute(o).Scope() }

// Holds if the main table does not have the route.
func (o DelRoute) Holds(f *Facts) bool { return !AddRoute(o).Holds(f) }

func (o DelRoute) String() string {
	return fmt.Sprintf("route del %s via %s dev %s metric %d", o.Dest, o.Gateway, o.Link, o.Metric)
}
