// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// Limits are what nft lists, stand for themselves, are found when somebody breaks them, and leave nothing.
func TestLimits(t *testing.T) {
	c, ns := connect(t)
	ns.Output(t, "ip", "link", "add", "br0", "type", "bridge")
	ns.Output(t, "ip", "link", "add", "br1", "type", "bridge")
	m, err := c.Monitor()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	set := func(link string, l Limit) {
		t.Helper()
		require.NoError(t, c.SetLimit(t.Context(), link, l))
	}
	limits := func(links ...string) map[string]Limit {
		t.Helper()
		found, err := c.Limits(t.Context(), links)
		require.NoError(t, err)
		return found
	}
	slow, fast := Limit{Rate: 128_000, Burst: 134_144}, Limit{Rate: 4_294_966_000}
	require.Empty(t, limits())
	set("br0", slow)
	set("br1", slow)
	set("br1", fast)
	require.Equal(t, map[string]Limit{"br0": slow, "br1": fast}, limits())
	require.Equal(t, map[string]Limit{"br1": fast}, limits("br1", "br9"))
	require.Contains(t, strings.Join(strings.Fields(ns.Output(t, "nft", "list", "chain", "netdev", Table, "in-br0")), " "),
		`type filter hook ingress device "br0" priority filter; policy accept; limit rate over 125 kbytes/second burst 131 kbytes drop`)
	heard := map[string]bool{}
	testenv.WaitFor(t, patience, "both links are heard of", func() bool {
		lost, err := m.Read(func(network string) { t.Errorf("the filter of %q has not changed", network) }, func(link string) { heard[link] = true })
		require.NoError(t, err)
		require.False(t, lost)
		return heard["br0"] && heard["br1"]
	})

	for breaks, other := range map[string]string{
		"add rule netdev virtnet in-br0 drop": "chain in-br0 has other rules",
		"flush chain netdev virtnet in-br0":   "chain in-br0 has other rules",
		"delete chain netdev virtnet in-br0; add chain netdev virtnet in-br0 { type filter hook ingress device br1 priority 0; }":              "chain in-br0 has another hook",
		"delete chain netdev virtnet in-br0; add chain netdev virtnet in-br0 { type filter hook ingress device br0 priority 0; policy drop; }": "chain in-br0 has another hook",
		"flush chain netdev virtnet in-br0; add rule netdev virtnet in-br0 limit rate 125 kbytes/second drop":                                  "chain in-br0 has other rules",
		"add table netdev virtnet { flags dormant; }": "table netdev virtnet is dormant",
	} {
		ns.Output(t, "nft", breaks)
		require.Equal(t, other, limits("br0")["br0"].Other, breaks)
		set("br0", slow)
		require.Equal(t, map[string]Limit{"br0": slow, "br1": fast}, limits(), breaks)
	}
	ns.Output(t, "ip", "link", "del", "br0")
	set("br0", Limit{})
	require.Equal(t, map[string]Limit{"br1": fast}, limits())
	set("br1", Limit{})
	set("br1", Limit{})
	require.Empty(t, limits())
	ns.Output(t, "ip", "link", "add", "br0", "type", "bridge")
	require.NotContains(t, ns.Output(t, "nft", "list", "ruleset"), "netdev")
}
