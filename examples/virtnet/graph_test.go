// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGraphOfManyNetworks draws several uplinks, a network that uses two of them, and networks without guests or uplinks.
func TestGraphOfManyNetworks(t *testing.T) {
	g := &graph{Networks: []graphNetwork{
		{Name: "default", Mode: "nat", Bridge: "virbr0", Addresses: []string{"192.168.122.1/24", "2001:db8::1/64"}, Uplinks: []string{"eth0", "wlan0"}, Ports: []portLine{
			{Guest: "web", Link: "vnet0", MAC: "52:54:00:00:00:01", Rates: "in 1000 kB/s, out 500 kB/s"},
			{Guest: "a guest with a long name", Link: "a-long-device15", MAC: "52:54:00:00:00:02"},
			{Guest: "db", Link: "vnet2", MAC: "52:54:00:00:00:03"},
		}},
		{Name: "lab", Mode: "isolated", Bridge: "virbr1", Ports: []portLine{{Guest: "one", Link: "vnet3", MAC: "52:54:00:00:00:04"}}},
		{Name: "lan", Mode: "bridge", Bridge: "br0", Rates: "in 1000 peak 5000 kB/s"},
		{Name: "dmz", Mode: "route", Bridge: "virbr2", Uplinks: []string{"wlan0"}},
	}}
	svg := g.svg()
	for _, want := range []string{"default (nat)", "2001:db8::1/64", "a-long-device15", "in 1000 kB/s", "out 500 kB/s", ">wlan0<", "lan (bridge)"} {
		require.Contains(t, svg, want)
	}
	require.Equal(t, 7, strings.Count(svg, "<path "), "a wire for each uplink of a network and each port")
	require.Equal(t, 7, strings.Count(g.mermaid(), " ---|"))
	require.Equal(t, svg, g.svg(), "the same networks are drawn alike")
	empty := (&graph{}).svg()
	require.Contains(t, empty, "this host")
	require.Equal(t, "flowchart LR\n  subgraph host[\"this host\"]\n  end\n", (&graph{}).mermaid())
}
