// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// What is said of rules, with a condition that is not understood and others.
func TestBarriers(t *testing.T) {
	n, err := network.Parse(strings.NewReader(`<network><name>n</name><forward/><bridge name='br1'/><dns enable='no'/><ip address='10.9.1.1' prefix='24'/></network>`))
	require.NoError(t, err)
	rule := func(do host.Verdict, when ...host.Condition) host.ChainRule {
		return host.ChainRule{Text: fmt.Sprint("rule ", do), Do: do, When: when}
	}
	to := func(do host.Verdict, chain string, when ...host.Condition) host.ChainRule {
		return host.ChainRule{Text: fmt.Sprint(do, " ", chain), Do: do, To: chain, When: when}
	}
	in := func(not bool, names ...string) host.Condition {
		return host.Condition{Field: host.In, Not: not, Names: names}
	}
	known := host.Condition{Field: host.State, States: host.Established | host.Related}
	unclear := host.Condition{}
	const out, answer = "from guests to the outside", "from the outside, as an answer to guests"
	line := func(traffic, sure, rule string) string {
		return "ipv4, " + traffic + ": stopped " + sure + " by chain ip filter F: " + rule + "\n"
	}
	cases := []struct {
		name   string
		policy host.Verdict
		rules  []host.ChainRule
		more   []host.ChainRule // of chain G
		want   string
	}{
		{"nothing", host.Accept, nil, nil, ""},
		{"policy", host.Drop, nil, nil, line(out, "always", "policy drop") + line(answer, "always", "policy drop")},
		{"state", host.Drop, []host.ChainRule{rule(host.Accept, known)}, nil, line(out, "always", "policy drop")},
		{"not the bridge", host.Accept, []host.ChainRule{rule(host.Drop, in(true, "br1"))}, nil, line(answer, "always", "rule drop")},
		{"any beginning", host.Accept, []host.ChainRule{rule(host.Reject, in(false, "br*"))}, nil, line(out, "always", "rule reject")},
		{"not understood", host.Accept, []host.ChainRule{rule(host.Drop, in(false, "br1"), unclear)}, nil, line(out, "perhaps", "rule drop")},
		{"not not understood", host.Accept, []host.ChainRule{rule(host.Drop, in(false, "br1"), host.Condition{Not: true})}, nil, line(out, "perhaps", "rule drop")},
		{"perhaps accepted", host.Drop, []host.ChainRule{rule(host.Accept, in(false, "br1"), unclear)}, nil, line(out, "unless accepted before", "policy drop") + line(answer, "always", "policy drop")},
		{"other verdict", host.Accept, []host.ChainRule{rule(host.Other, in(false, "br1"))}, nil, line(out, "perhaps", "rule other (its verdict is not understood)")},
		{"no verdict", host.Accept, []host.ChainRule{rule("")}, nil, ""},
		{"jump", host.Accept, []host.ChainRule{to(host.Jump, "G", in(false, "br1"))}, []host.ChainRule{rule(host.Return, known), rule(host.Drop)}, line(out, "always", "chain G: rule drop")},
		{"jump perhaps", host.Drop, []host.ChainRule{to(host.Jump, "G", in(false, "br1"), unclear)}, []host.ChainRule{rule(host.Accept)}, line(out, "unless accepted before", "policy drop") + line(answer, "always", "policy drop")},
		{"back from a jump", host.Accept, []host.ChainRule{to(host.Jump, "G"), rule(host.Accept)}, nil, ""},
		{"goto", host.Accept, []host.ChainRule{to(host.Goto, "G"), rule(host.Drop)}, nil, ""},
		{"lost", host.Accept, []host.ChainRule{to(host.Jump, "H", in(false, "br1"))}, nil, line(out, "perhaps", "chain H, which could not be read")},
		{"in circles", host.Accept, []host.ChainRule{to(host.Jump, "G", in(false, "br1"))}, []host.ChainRule{to(host.Jump, "G")}, line(out, "perhaps", "chain G, which could not be read")},
		{"protocol", host.Accept, []host.ChainRule{rule(host.Drop, in(false, "br1"), host.Condition{Field: host.Transport, Protos: []host.Proto{host.TCP}})}, nil, line(out, "perhaps", "rule drop")},
		{"part of the subnet", host.Accept, []host.ChainRule{rule(host.Drop, host.Condition{Field: host.Source, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.1.128/25")}})}, nil, line(out, "perhaps", "rule drop")},
	}
	m := hosttest.New("eth0")
	f := &host.Facts{Routes: []host.Route{{Dest: netip.MustParsePrefix("0.0.0.0/0"), Link: "eth0", Gateway: netip.MustParseAddr("192.0.2.1"), Table: host.MainTable}}}
	for _, c := range cases {
		m.SetFirewall(host.Firewall{Chains: []host.Chain{
			{Family: "ip", Table: "filter", Name: "F", Hook: "forward", Policy: c.policy, Rules: c.rules},
			{Family: "ip", Table: "filter", Name: "G", Rules: c.more},
			{Family: "ip6", Table: "filter", Name: "F", Hook: "forward", Policy: host.Drop},
			{Family: "ip", Table: "other", Name: "H", Rules: []host.ChainRule{rule(host.Drop)}},
		}})
		fw, err := m.Firewall(t.Context())
		require.NoError(t, err)
		got := ""
		for _, b := range network.Barriers(n, f, fw) {
			got += b.String() + "\n"
		}
		require.Equal(t, c.want, got, c.name)
	}
	bridged := &host.Firewall{Chains: []host.Chain{{Family: "bridge", Table: "b", Name: "F", Hook: "forward", Policy: host.Drop}}}
	require.Len(t, network.Barriers(n, f, bridged), 2, "guests do not reach each other")
	n.Forward.Mode = network.ForwardBridge
	require.Empty(t, network.Barriers(n, f, bridged))
}

// Each family has its own rules, and the rules for both are judged for both.
func TestBarriersOfIPv6(t *testing.T) {
	n, err := network.Parse(strings.NewReader(`<network><name>n</name><forward dev='eth0'/><bridge name='br1'/><dns enable='no'/>
<ip address='10.9.1.1' prefix='24'/><ip family='ipv6' address='2001:db8:9::1' prefix='64'><dhcp><range start='2001:db8:9::2' end='2001:db8:9::9'/></dhcp></ip></network>`))
	require.NoError(t, err)
	drop := func(family, hook string, when ...host.Condition) *host.Firewall {
		return &host.Firewall{Chains: []host.Chain{{Family: family, Table: "x", Name: "c", Hook: hook, Policy: host.Accept, Rules: []host.ChainRule{{Text: "drop", Do: host.Drop, When: when}}}}}
	}
	count := func(fw *host.Firewall) map[host.Family]int {
		found := map[host.Family]int{}
		for _, b := range network.Barriers(n, nil, fw) {
			require.Equal(t, network.Always, b.Sure, "%s", b)
			found[b.Family]++
		}
		return found
	}
	// IPv6 is not translated, so it is called from outside as well.
	require.Equal(t, map[host.Family]int{host.IPv4: 2, host.IPv6: 4}, count(drop("inet", "forward")))
	require.Equal(t, map[host.Family]int{host.IPv6: 4}, count(drop("ip6", "forward")))
	require.Equal(t, map[host.Family]int{host.IPv6: 4}, count(drop("inet", "forward", host.Condition{Field: host.Version, Families: []host.Family{host.IPv6}})))
	require.Equal(t, map[host.Family]int{host.IPv6: 1}, count(drop("inet", "input")))
	require.Empty(t, count(drop("inet", "forward", host.Condition{Field: host.Out, Names: []string{"eth1"}})))
}
