// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

func (s Suite) testFacts(t *testing.T) {
	ops := slices.Concat(s.network(), []host.Op{br1, host.EnableForwarding{}})
	x := s.open(t, ops...)
	x.do(ops...)
	whole := x.look(host.Scope{All: true})
	if whole.Instance == "" {
		t.Error("the machine has no identity")
	}
	sorted := x.look(host.Scope{All: true})
	sorted.Sort()
	x.equal("after sorting", whole, sorted)

	for _, c := range scopes(whole, s.lacks(serve)) {
		t.Run(c.name, func(t *testing.T) {
			x := &bench{t: t, backend: x.backend}
			c.want.Instance = whole.Instance
			x.equal("in this scope", x.look(c.scope), &c.want)
		})
	}
	t.Run("owned by the caller", func(t *testing.T) {
		x := &bench{t: t, backend: x.backend}
		f := x.look(host.Scope{All: true})
		clear(f.Links)
		clear(f.Addrs)
		clear(f.Routes)
		for i := range f.Filters {
			clear(f.Filters[i].From)
			clear(f.Filters[i].Forwards)
		}
		clear(f.Shapes)
		clear(f.Classes)
		clear(f.Filled)
		for i := range f.Servers {
			clear(f.Servers[i].Subnets)
		}
		x.equal("after the caller wrote into another look at", x.look(host.Scope{All: true}), whole)
	})
}

type scopeCase struct {
	name  string
	scope host.Scope
	want  host.Facts
}

// scopes are the parts of what is there that can be asked for one by one.
func scopes(whole *host.Facts, noServer bool) []scopeCase {
	near := []netip.Prefix{netip.MustParsePrefix("192.168.7.128/25")}
	cases := []scopeCase{
		{"nothing", host.Scope{}, host.Facts{}},
		{"what is not there", host.Scope{
			Links: []string{"br9"}, Shapes: []string{"br9"}, Filters: []string{"n9"}, Servers: []string{"n9"},
			Sysctls: []string{"net/ipv6/conf/br9/accept_ra", "no/such/parameter"},
		}, host.Facts{}},
		{"a link", host.Scope{Links: []string{"br1"}}, host.Facts{Links: []host.Link{*whole.Link("br1")}}},
		{"a bare link", host.Scope{Bare: []string{"br0", "br9"}}, host.Facts{Links: []host.Link{*whole.Link("br0")}}},
		{"a link with addresses", host.Scope{Links: []string{"br0", "br9", "br0"}}, host.Facts{
			Links: []host.Link{*whole.Link("br0")},
			Addrs: slices.DeleteFunc(slices.Clone(whole.Addrs), func(a host.Addr) bool { return a.Link != "br0" }),
		}},
		{"addresses", host.Scope{Addrs: true}, host.Facts{Addrs: whole.Addrs}},
		{"what is near", host.Scope{Near: near}, host.Facts{
			Addrs:  slices.DeleteFunc(slices.Clone(whole.Addrs), func(a host.Addr) bool { return !a.Prefix.Overlaps(near[0]) }),
			Routes: slices.DeleteFunc(slices.Clone(whole.Routes), func(r host.Route) bool { return !r.Dest.Overlaps(near[0]) }),
		}},
		{"routes", host.Scope{Routes: true}, host.Facts{Routes: whole.Routes}},
		{"forwarding", host.Scope{Forwarding: true}, host.Facts{Forwarding: whole.Forwarding}},
		{"a sysctl", host.Scope{Sysctls: []string{noRA.Key}}, host.Facts{Sysctls: []host.Sysctl{{Key: noRA.Key, Value: "0"}}}},
		{"the sysctl of forwarding", host.Scope{Sysctls: []string{"net/ipv4/ip_forward"}}, host.Facts{
			Sysctls: []host.Sysctl{{Key: "net/ipv4/ip_forward", Value: "1"}},
		}},
		{"the shape of a link", host.Scope{Shapes: []string{"br0", "br1"}}, host.Facts{
			Shapes: slices.DeleteFunc(slices.Clone(whole.Shapes), func(s host.Shape) bool { return s.Link != "br0" }), Classes: whole.Classes,
		}},
		{"checksums", host.Scope{Filled: []string{"br0", "br1", "br9", "br0"}}, host.Facts{Filled: whole.Filled}},
		{"a filter", host.Scope{Filters: []string{"n1"}}, host.Facts{Filters: whole.Filters}},
	}
	if !noServer {
		cases = append(cases, scopeCase{"a server", host.Scope{Servers: []string{"n1"}}, host.Facts{Servers: whole.Servers}})
	}
	return cases
}
