// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func TestChangeTouches(t *testing.T) {
	for _, c := range []struct {
		name   string
		change host.Change
		scope  host.Scope
		want   bool
	}{
		{"nothing asked", host.Change{Kind: host.LinkChanged}, host.Scope{}, false},
		{"anything", host.Change{}, host.Scope{}, true},
		{"all", host.Change{Kind: host.ServerEnded, Name: "n1"}, host.Scope{All: true}, true},
		{"the link", host.Change{Kind: host.LinkChanged, Name: "br0"}, host.Scope{Links: []string{"br0"}}, true},
		{"another link", host.Change{Kind: host.LinkChanged, Name: "br1"}, host.Scope{Links: []string{"br0"}, Servers: []string{"br1"}}, false},
		{"some link", host.Change{Kind: host.LinkRemoved}, host.Scope{Links: []string{"br0"}}, true},
		{"the link of a parameter", host.Change{Kind: host.LinkAdded, Name: "br0"}, host.Scope{Sysctls: []string{"net/ipv6/conf/br0/accept_ra"}}, true},
		{"the link of another parameter", host.Change{Kind: host.LinkAdded, Name: "br1"}, host.Scope{Sysctls: []string{"net/ipv6/conf/br0/accept_ra"}}, false},
		{"routes of a link that is down", host.Change{Kind: host.LinkChanged, Name: "br1"}, host.Scope{Routes: true}, true},
		{"routes", host.Change{Kind: host.RouteChanged, Name: "br1"}, host.Scope{Routes: true}, true},
		{"routes nobody asked for", host.Change{Kind: host.RouteChanged, Name: "br1"}, host.Scope{Links: []string{"br1"}, Forwarding: true}, false},
		{"the shape of the link", host.Change{Kind: host.ShapeChanged, Name: "br1"}, host.Scope{Shapes: []string{"br1"}}, true},
		{"the shape of another", host.Change{Kind: host.ShapeChanged, Name: "br1"}, host.Scope{Shapes: []string{"br0"}}, false},
		{"the checksums of the link", host.Change{Kind: host.ShapeChanged, Name: "br1"}, host.Scope{Filled: []string{"br1"}}, true},
		{"forwarding", host.Change{Kind: host.ForwardingChanged}, host.Scope{Forwarding: true}, true},
		{"the filter", host.Change{Kind: host.FilterChanged, Name: "n1"}, host.Scope{Filters: []string{"n1"}}, true},
		{"some filter", host.Change{Kind: host.FilterChanged}, host.Scope{Filters: []string{"n1"}}, true},
		{"another filter", host.Change{Kind: host.FilterChanged, Name: "n2"}, host.Scope{Filters: []string{"n1"}}, false},
		{"zones", host.Change{Kind: host.ZonesChanged}, host.Scope{Zones: true}, true},
		{"the resolver", host.Change{Kind: host.ResolverChanged}, host.Scope{Resolver: true}, true},
		{"zones nobody asked for", host.Change{Kind: host.ZonesChanged}, host.Scope{Links: []string{"br0"}}, false},
		{"the server", host.Change{Kind: host.ServerEnded, Name: "n1"}, host.Scope{Servers: []string{"n1"}}, true},
		{"another server", host.Change{Kind: host.ServerStarted, Name: "n2"}, host.Scope{Servers: []string{"n1"}}, false},
		{"the port of a switch", host.Change{Kind: host.OVSPortChanged, Name: "tap0"}, host.Scope{OVSPorts: []string{"tap0"}}, true},
		{"some port of a switch", host.Change{Kind: host.OVSPortChanged}, host.Scope{OVSPorts: []string{"tap0"}}, true},
		{"another port", host.Change{Kind: host.OVSPortChanged, Name: "tap1"}, host.Scope{OVSPorts: []string{"tap0"}, Links: []string{"tap1"}}, false},
		{"no kind", host.Change{Kind: 99}, host.Scope{Links: []string{"br0"}}, false},
	} {
		require.Equal(t, c.want, c.change.Touches(c.scope), c.name)
	}
}

func TestChangeInWords(t *testing.T) {
	require.Equal(t, "anything", host.Change{}.String())
	require.Equal(t, "server ended n1", host.Change{Kind: host.ServerEnded, Name: "n1"}.String())
	require.Equal(t, "invalid", host.ChangeKind(99).String())
}
