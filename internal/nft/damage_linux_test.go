// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// Whatever somebody does to a filter is seen, and setting it again, or deleting it, puts things right.
func TestDamage(t *testing.T) {
	f, other := natNetwork("n1", "br0"), natNetwork("n2", "br1")
	f.Forwards = forwarded("n1", "br0").Forwards
	f.Guarded, f.Open = true, []host.Service{{Proto: host.UDP, Ports: host.PortRange{From: 67, To: 67}}}
	other.Guarded = true
	other.Forwards, other.HideClients = []host.PortForward{forward(host.TCP, "", 22, 23, "192.168.7.2", 22)}, true
	cases := []struct {
		name string
		nft  string
		// shared is set if the filter of the other network suffers as well.
		shared bool
	}{
		{"flushed map", "flush map inet virtnet from", true},
		{"entry deleted", "delete element inet virtnet to { br0 }", false},
		{"entry added", "add element inet virtnet from { br9 : jump from-n1 }", false},
		{"entries moved", "delete element inet virtnet from { br0 }; delete element inet virtnet to { br0 }; delete element inet virtnet nat { br0 }; add element inet virtnet from { br9 : jump from-n1 }; add element inet virtnet to { br9 : jump to-n1 }; add element inet virtnet nat { br9 : jump nat-n1 }", false},
		{"entry leads elsewhere", "delete element inet virtnet to { br0 }; add element inet virtnet to { br0 : jump from-n1 }", false},
		{"flushed chain", "flush chain inet virtnet from-n1", false},
		{"rule added", "add rule inet virtnet to-n1 tcp dport 22 accept", false},
		{"rule inserted", "insert rule inet virtnet nat-n1 ip saddr 10.0.0.0/8 counter return", false},
		{"chain deleted", "delete element inet virtnet nat { br0 }; delete chain inet virtnet nat-n1", false},
		{"all but one chain deleted", "delete element inet virtnet nat { br0 }; delete chain inet virtnet nat-n1; delete element inet virtnet from { br0 }; delete chain inet virtnet from-n1", false},
		{"dispatch flushed", "flush chain inet virtnet forward", true},
		{"dispatch deleted", "flush chain inet virtnet postrouting; delete chain inet virtnet postrouting", true},
		{"map deleted", "flush chain inet virtnet postrouting; flush map inet virtnet nat; delete map inet virtnet nat", true},
		{"dispatch replaced", "flush chain inet virtnet forward; add rule inet virtnet forward counter accept; add rule inet virtnet forward counter accept", true},
		{"policy", "add chain inet virtnet forward { policy drop; }", true},
		{"server deleted", "delete element bridge virtnet dhcp { 10.9.131.1 }", false},
		{"no servers", "delete table bridge virtnet", true},
		{"servers flushed", "flush set bridge virtnet dhcp", true},
		{"no repair", "flush chain bridge virtnet output", true},
		{"other repair", "add rule bridge virtnet output counter", true},
		{"repair dormant", "add table bridge virtnet { flags dormant; }", true},
		{"forward deleted", "delete element inet virtnet-forward local4 { tcp . 8080 }", false},
		{"forward added", "add element inet virtnet-forward local4 { tcp . 99 comment \"n1\" : 192.168.122.9 . 99 }", false},
		{"forward leads elsewhere", "delete element inet virtnet-forward addr6 { udp . 2001:db8::5 . 65535 }; add element inet virtnet-forward addr6 { udp . 2001:db8::5 . 65535 comment \"n1\" : fd00::9 . 1 }", false},
		{"no hairpin", "delete element inet virtnet-forward hairpin { br0 . br0 }", false},
		{"not guarded", "delete element inet virtnet-input guarded { br0 }", false},
		{"opened", "add element inet virtnet-input open { br0 . tcp . 22 comment \"n1\" }", false},
		{"no guard", "flush chain inet virtnet-input input", true},
		{"no forwards", "delete table inet virtnet-forward", true},
		{"forwards of guests flushed", "flush chain inet virtnet-forward prerouting", true},
		{"forwards of the machine deleted", "flush chain inet virtnet-forward output; delete chain inet virtnet-forward output", true},
		{"a rule more in front", "insert rule inet virtnet-forward prerouting tcp dport 80 accept", true},
		{"no map", "flush chain inet virtnet-forward output; flush chain inet virtnet-forward prerouting; delete map inet virtnet-forward local6", true},
		{"dormant", "add table inet virtnet { flags dormant; }", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn, ns := connect(t)
			before := ns.Snapshot(t)
			set(t, conn, f, host.Filter{})
			set(t, conn, other, host.Filter{})
			healthy := listing(t, ns)
			load(t, ns, strings.ReplaceAll(c.nft, "; ", "\n"))
			got := get(t, conn)
			require.Len(t, got, 2)
			require.False(t, got[0].Equal(f), "%s", got[0])
			require.False(t, got[0].IsZero())
			require.Equal(t, !c.shared, got[1].Equal(other), "%s", got[1])

			require.ErrorIs(t, conn.SetFilter(t.Context(), host.SetFilter{Network: "n1", Filter: f}), fs.ErrExist)
			set(t, conn, f, f)
			if c.shared {
				set(t, conn, other, other)
			}
			same(t, []host.Filter{f, other}, get(t, conn))
			require.Equal(t, blocks(healthy), blocks(listing(t, ns)))

			load(t, ns, strings.ReplaceAll(c.nft, "; ", "\n"))
			set(t, conn, host.Filter{}, f)
			set(t, conn, host.Filter{}, other)
			require.Equal(t, before, ns.Snapshot(t))
		})
	}
}

// After the table was flushed away a filter is added as if there had never been one.
func TestFlushRuleset(t *testing.T) {
	c, ns := connect(t)
	f := natNetwork("n1", "br0")
	set(t, c, f, host.Filter{})
	ns.Output(t, "nft", "flush", "ruleset")
	require.Empty(t, get(t, c))
	require.ErrorIs(t, c.SetFilter(t.Context(), host.SetFilter{Network: "n1", Was: f}), fs.ErrNotExist)
	set(t, c, f, host.Filter{})
	same(t, []host.Filter{f}, get(t, c))
}
