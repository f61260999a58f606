// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network/host"
)

// A route says who knows names: those of a domain, or all for the empty one.
type route struct {
	domain string
	// local names are known here or not at all.
	local bool
	// plain names are those without a dot, of which the server is to know all that there are.
	plain bool
	// ours are local names of which the server says that it is the one who knows.
	ours bool
	// servers are asked in their order. None are those that are asked about all other names, and for those the machine's.
	servers []netip.AddrPort
	// fixed names all have these addresses. Of what else there is of them others know, unless they are local.
	fixed bool
	addrs []netip.Addr
}

// zoneOf is the domain of the names of the addresses of a network.
func zoneOf(prefix netip.Prefix) (string, error) {
	zone, err := dnsmasq.ReverseZone(prefix)
	return canonical(zone), err
}

// route reads who is asked about what.
func (n *names) route(s *host.Server, d *dnsDirectives) {
	if s.LocalDomain {
		n.routes = append(n.routes, route{domain: n.domain, local: true})
	}
	for _, prefix := range s.DNS.LocalZones {
		if zone, err := zoneOf(prefix); err == nil {
			n.routes = append(n.routes, route{domain: zone, local: true})
		}
	}
	rest := route{local: s.DNS.NoForward}
	add := func(r route) {
		if r.domain == "" && !r.local && !r.fixed {
			rest.local = false
			rest.servers = append(rest.servers, r.servers...)
			return
		}
		at := slices.IndexFunc(n.routes, func(o route) bool {
			return o.domain == r.domain && o.local == r.local && o.fixed == r.fixed && o.ours == r.ours
		})
		if at < 0 {
			n.routes = append(n.routes, r)
			return
		}
		n.routes[at].servers, n.routes[at].addrs = append(n.routes[at].servers, r.servers...), append(n.routes[at].addrs, r.addrs...)
	}
	for _, f := range s.DNS.Forwarders {
		r := route{}
		if f.Domain != "" {
			r.domain = canonical(f.Domain)
		}
		if f.Addr.IsValid() {
			r.servers = []netip.AddrPort{netip.AddrPortFrom(f.Addr, dnsPort)}
		}
		add(r)
	}
	for _, r := range d.routes {
		add(r)
	}
	// The longest domain that fits decides, and of those that are as long the one that has addresses, and then the one that
	// asks others.
	slices.SortStableFunc(n.routes, func(a, b route) int {
		if len(a.domain) != len(b.domain) {
			return len(b.domain) - len(a.domain)
		}
		if a.fixed != b.fixed {
			return rank(b.fixed) - rank(a.fixed)
		}
		return len(b.servers) - len(a.servers)
	})
	n.routes = append(n.routes, rest)
}

func rank(first bool) int {
	if first {
		return 1
	}
	return 0
}

// whom finds who knows records of a name that is not known here.
func (n *names) whom(name string, kind dnsmessage.Type, keepPlain bool) route {
	if keepPlain && strings.Count(name, ".") <= 1 {
		return route{local: true, plain: true}
	}
	for _, r := range n.routes {
		if r.domain != "" && name != r.domain && !strings.HasSuffix(name, "."+r.domain) {
			continue
		}
		if !r.fixed && !r.local && len(r.servers) == 0 {
			return n.routes[len(n.routes)-1] // those who are asked about all others
		}
		if !r.fixed || r.local || len(addressBodies(r.addrs, kind)) > 0 {
			return r
		}
	}
	return route{local: true}
}

// addressBodies are those of a list of addresses that a question is about.
func addressBodies(list []netip.Addr, kind dnsmessage.Type) (found []dnsmessage.ResourceBody) {
	for _, a := range list {
		switch {
		case a.Is4() && kind == dnsmessage.TypeA:
			found = append(found, &dnsmessage.AResource{A: a.As4()})
		case a.Is6() && kind == dnsmessage.TypeAAAA:
			found = append(found, &dnsmessage.AAAAResource{AAAA: a.As16()})
		}
	}
	return found
}
