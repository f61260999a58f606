// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// dockerLike is what Docker leaves on a host, in nft's words.
const dockerLike = `table ip filter {
	chain DOCKER { iifname != "docker0" oifname "docker0" drop; }
	chain DOCKER-FORWARD {
		oifname "docker0" ct state related,established accept
		oifname "docker0" jump DOCKER
		iifname "docker0" accept
	}
	chain DOCKER-USER { USER return; }
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		jump DOCKER-USER
		jump DOCKER-FORWARD
	}
}`

// firewalldLike is a firewalld with the uplink in one zone and everything else in the default one.
const firewalldLike = `table inet firewalld {
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		ct status dnat accept
		iifname "lo" accept
		iifname vmap { "eth0" : goto filter_IN_public, BRIDGE }
		goto filter_IN_public
		ct state invalid drop
		reject with icmpx admin-prohibited
	}
	chain filter_IN_public {
		jump filter_IN_public_allow
		meta l4proto { icmp, ipv6-icmp } accept
		reject with icmpx admin-prohibited
	}
	chain filter_IN_public_allow { tcp dport 22 accept; }
	chain filter_IN_libvirt { udp dport { 53, 67, 547 } accept; tcp dport { 7, 22, 53 } accept; reject; }
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
		ct state { established, related } accept
		ct status dnat accept
		jump filter_FORWARD_ZONES
		ct state invalid drop
		reject with icmpx admin-prohibited
	}
	chain filter_FORWARD_ZONES {
		FORWARD
		iifname "eth0" goto filter_FWD_public
		goto filter_FWD_public
	}
	chain filter_FWD_libvirt { accept; }
	chain filter_FWD_public { ct state new reject; }
}`

// TestBarriers loads the rules of other programs, and sees what becomes of packets: they are stopped if and only if that
// is what was said.
func TestBarriers(t *testing.T) {
	testenv.NeedProgram(t, "nft")
	t.Parallel()
	w := newWorld(t)
	w.ip(w.host, "route add default via 203.0.113.2")
	live := w.start(`<network><name>lan</name><forward mode='route'/><bridge name='lan0' stp='off'/><ip address='10.88.0.1' prefix='24'/></network>`)
	g := w.attach("guest", `<interface type='network'><source network='lan'/></interface>`)
	w.configure(g, live)
	for _, n := range []*testenv.Namespace{w.host, w.outside, g.Namespace} {
		require.NoError(t, lab.Echo(t.Context(), n.Path()))
	}
	backend, err := linux.Open(linux.Config{Namespace: w.host.Path(), RunDir: w.runDir})
	require.NoError(t, err)
	defer func() { require.NoError(t, backend.Close()) }()
	const base = "table inet x { chain f { type filter hook "
	cases := []struct {
		name, rules string
		// stopped are what does not get through, of the traffic that is tried here; rule is in the first barrier.
		stopped []network.Traffic
		rule    string
	}{
		{"nothing", "", nil, ""},
		{"policy forward", base + "forward priority 5; policy drop; } }", []network.Traffic{network.Outbound, network.Inbound}, "policy drop"},
		{"policy forward with exception", base + `forward priority 5; policy drop; ct state established,related accept; iifname "lan0" accept; } }`, []network.Traffic{network.Inbound}, "policy drop"},
		{"policy input", base + "input priority 5; policy drop; } }", []network.Traffic{network.DNSRequest}, "policy drop"},
		{"policy of another family", "table ip6 x { chain f { type filter hook forward priority 0; policy drop; } }", nil, ""},
		{"output", base + `output priority 5; oifname "lan*" counter drop; } }`, []network.Traffic{network.ServerAnswer}, `oifname "lan*" counter drop`},
		{"prerouting", "table ip raw { chain P { type filter hook prerouting priority raw; ip saddr 10.88.0.0/16 drop; } }", []network.Traffic{network.Outbound, network.DNSRequest}, "ip saddr 10.88.0.0/16 drop"},
		{"another subnet", "table ip raw { chain P { type filter hook prerouting priority raw; ip saddr 10.89.0.0/16 drop; ip daddr != 0.0.0.0/0 drop; } }", nil, ""},
		{"by index", base + `forward priority 5; iif "lan0" oif "eth0" reject; } }`, []network.Traffic{network.Outbound}, `iif "lan0" oif "eth0" reject`},
		{"by a set", base + `forward priority 5; oifname { "lan0", "lan1" } ct state new drop; } }`, []network.Traffic{network.Inbound}, `oifname { "lan0", "lan1" } ct state new drop`},
		{"accepted first", base + `forward priority 5; iifname "lan0" accept; drop; } }`, []network.Traffic{network.Inbound}, "drop"},
		{"returned", "table inet x { chain g { iifname lan0 return; drop; }\nchain f { type filter hook forward priority 5; jump g; } }", []network.Traffic{network.Inbound}, "chain g: drop"},
		{"gone", "table inet x { chain g { return; }\nchain f { type filter hook forward priority 5; policy drop; goto g; accept; } }", []network.Traffic{network.Outbound, network.Inbound}, "policy drop"},
		{"dormant", "table inet x { flags dormant; chain f { type filter hook forward priority 5; policy drop; } }", nil, ""},
		{"docker", expand(dockerLike, "USER return;", ""), []network.Traffic{network.Outbound, network.Inbound}, "policy drop"},
		{"docker with a way", expand(dockerLike, "USER return;", `iifname "lan0" accept; oifname "lan0" accept;`), nil, ""},
		{"firewalld", expand(firewalldLike, `, BRIDGE`, "", "FORWARD\n", "\n"), []network.Traffic{network.Outbound, network.Inbound, network.DNSRequest}, "reject"},
		{"firewalld with a zone", expand(firewalldLike, `BRIDGE`, `"lan0" : goto filter_IN_libvirt`, "FORWARD\n", "iifname \"lan0\" goto filter_FWD_libvirt\n"), []network.Traffic{network.Inbound}, "ct state new reject"},
	}
	for _, c := range cases {
		file := filepath.Join(t.TempDir(), "rules")
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(c.rules, "; } }", "; }\n}")), 0o600))
		w.host.Output(t, "nft", "-f", file)
		fw, err := backend.Firewall(t.Context())
		require.NoError(t, err)
		f, err := backend.Facts(t.Context(), host.Scope{Routes: true})
		require.NoError(t, err)
		barriers := network.Barriers(live, f, fw)
		said := map[network.Traffic]bool{}
		for i, b := range barriers {
			if i == 0 {
				require.Contains(t, b.Rule, c.rule, c.name)
			}
			require.Equal(t, host.IPv4, b.Family, c.name)
			said[b.Traffic] = said[b.Traffic] || b.Sure != network.Perhaps
		}
		for _, traffic := range c.stopped {
			require.True(t, said[traffic], "%s: %s in %v", c.name, traffic, barriers)
		}
		// Packets of each kind.
		for traffic, probe := range map[network.Traffic]func(time.Duration) error{
			network.Outbound:     func(d time.Duration) error { return ask(t, g.Namespace, d, "203.0.113.2") },
			network.Inbound:      func(d time.Duration) error { return ask(t, w.outside, d, "10.88.0.100") },
			network.DNSRequest:   func(d time.Duration) error { return ask(t, g.Namespace, d, "10.88.0.1") },
			network.ServerAnswer: func(d time.Duration) error { return ask(t, w.host, d, "10.88.0.100") },
		} {
			wanted := said[traffic] || said[map[network.Traffic]network.Traffic{
				network.DNSRequest: network.ServerAnswer, network.Outbound: network.Answers, network.Inbound: network.Replies,
			}[traffic]]
			if traffic == network.ServerAnswer && c.name != "output" {
				continue
			}
			if c.name == "firewalld with a zone" && traffic == network.DNSRequest {
				continue // The test asks another port than that of the name server.
			}
			if wanted {
				require.Error(t, probe(700*time.Millisecond), "%s: %s; said %v", c.name, traffic, barriers)
			} else {
				require.NoError(t, probe(10*time.Second), "%s: %s; said %v", c.name, traffic, barriers)
			}
		}
		for _, line := range barriers {
			t.Logf("%s: %s", c.name, line)
		}
		for _, table := range []string{"inet x", "ip6 x", "ip raw", "ip filter", "inet firewalld"} {
			_ = w.host.Command(t.Context(), "nft", append([]string{"delete", "table"}, splitWords(table)...)...).Run()
		}
	}
}

func expand(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

func splitWords(s string) []string { return strings.Fields(s) }

// ask sends a question, and waits that long for its answer.
func ask(t *testing.T, from *testenv.Namespace, wait time.Duration, to string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	return lab.Probe(ctx, from.Path(), lab.UDP, netip.MustParseAddr(to))
}
