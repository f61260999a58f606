// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
)

// TestOpenMends breaks what a running network is made of, behind the library's back; the next Open makes it whole.
func TestOpenMends(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "nft")
	text, err := os.ReadFile("../testdata/managed/default.xml")
	require.NoError(t, err)
	for name, command := range map[string][]string{
		"rule added":      {"nft", "insert", "rule", "inet", "virtnet", "from-UUID", "accept"},
		"chain flushed":   {"nft", "flush", "chain", "inet", "virtnet", "to-UUID"},
		"ruleset flushed": {"nft", "flush", "ruleset"},
		"address removed": {"ip", "addr", "flush", "dev", "virbr0"},
		"bridge down":     {"ip", "link", "set", "virbr0", "down"},
		"parameter":       {"sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/virbr0/disable_ipv6"},
		"no forwarding":   {"sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, ns := open(t)
			before := ns.Snapshot(t)
			store := network.Memory()
			nets, err := network.Open(t.Context(), b, store)
			require.NoError(t, err)
			n, err := network.Parse(strings.NewReader(string(text)))
			require.NoError(t, err)
			require.NoError(t, nets.Define(t.Context(), n))
			require.NoError(t, nets.Start(t.Context(), "default"))
			s, err := nets.Lookup(t.Context(), "default")
			require.NoError(t, err)
			for i := range command {
				command[i] = strings.Replace(command[i], "UUID", s.UUID.String(), 1)
			}
			ns.Output(t, command[0], command[1:]...)
			drift, err := nets.Plan(t.Context(), "default")
			require.NoError(t, err)
			require.NotEmpty(t, drift, "nothing was broken")

			nets, err = network.Open(t.Context(), b, store)
			require.NoError(t, err)
			drift, err = nets.Plan(t.Context(), "default")
			require.NoError(t, err)
			require.Empty(t, drift)
			require.NoError(t, nets.Stop(t.Context(), "default"))
			ns.Unchanged(t, before, "mended and stopped")
		})
	}
}
