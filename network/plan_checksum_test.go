// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// What a DHCP server answers is repaired where a network has one, in the best way that the machine has; where it has none,
// the network starts all the same.
func TestPlanChecksums(t *testing.T) {
	const (
		dhcp = `<ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.9'/></dhcp></ip>`
		open = `<forward mode='open'/>`
		four = `<ip address='10.9.2.1' prefix='24'/>`
		six  = `<ip family='ipv6' address='2001:db8::1' prefix='64'/>`
		dhc6 = `<ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp><range start='2001:db8::2' end='2001:db8::9'/></dhcp></ip>`
	)
	both, clearing, none := []host.Repair{host.Fill, host.Clear}, []host.Repair{host.Clear}, []host.Repair{}
	for _, c := range []struct {
		name, document string
		repairs        []host.Repair
		filled, dhcp   string
	}{
		{"the best", dhcp, both, "[br1]", "[]"},
		{"the best of both families", four + dhcp + dhc6, both, "[br1]", "[]"},
		{"IPv6 alone", four + dhc6, both, "[br1]", "[]"},
		{"the best in mode open", open + dhcp, both, "[br1]", "[]"},
		{"no DHCP", four + six, both, "[]", "[]"},
		{"another way", dhcp, clearing, "[]", "[10.9.1.1]"},
		{"another way for any of its addresses", four + dhcp + six, clearing, "[]", "[10.9.1.1 10.9.2.1]"},
		{"another way in mode open", open + dhcp, clearing, "[]", "[10.9.1.1]"},
		{"another way, which IPv6 does not have", four + dhc6, clearing, "[]", "[]"},
		{"no way", dhcp + dhc6, none, "[]", "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hosttest.New("eth0")
			m.Repairs = c.repairs
			nets, err := network.Open(t.Context(), m, network.Memory())
			require.NoError(t, err)
			before := m.String()
			n := parse(t, `<network><name>n</name><uuid>8f1cd3a3-7a2e-4a4c-9a55-6a1e3f5c0001</uuid><bridge name='br1'/>`+c.document+`</network>`)
			require.NoError(t, nets.Create(t.Context(), n))
			f, err := m.Facts(t.Context(), host.Scope{All: true})
			require.NoError(t, err)
			require.Equal(t, c.filled, fmt.Sprint(f.Filled))
			require.Equal(t, c.dhcp, fmt.Sprint(f.Filter(n.UUID.String()).DHCP))
			require.NoError(t, nets.Stop(t.Context(), "n"))
			require.Equal(t, before, m.String())
		})
	}
}

// TestChecksumDrift has another program take the repair away, and a document that wants no DHCP server any more.
func TestChecksumDrift(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	document := func(dhcp string) *network.Network {
		return parse(t, `<network><name>net1</name><bridge name='br1'/><mac address='52:54:00:00:00:01'/><ip address='10.9.1.1' prefix='24'>`+dhcp+`</ip></network>`)
	}
	served := document(`<dhcp><range start='10.9.1.2' end='10.9.1.9'/></dhcp>`)
	require.NoError(t, nets.Define(ctx, served))
	plan, err := nets.Plan(ctx, "net1")
	require.NoError(t, err)
	const step = "tc filter add dev br1 egress udp dport { 68, 546 } action csum"
	require.Contains(t, strings.Join(strings.Fields(plan.String()), " "), step+" # /network/ip[1]/dhcp")
	require.NoError(t, nets.Start(ctx, "net1"))

	const filled = "checksums of DHCP filled in dev br1\n"
	m.DropChecksums("br1")
	found, err := nets.Check(ctx)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Len(t, found[0].Missing, 1)
	require.Equal(t, step, found[0].Missing[0].Op.String())
	_, err = nets.Repair(ctx, network.RepairRequest{})
	require.NoError(t, err)
	require.Contains(t, m.String(), filled)

	for _, n := range []*network.Network{document(""), served} {
		_, err = nets.Update(ctx, "net1", network.UpdateRequest{Live: true, Document: n})
		require.NoError(t, err)
		require.Equal(t, n == served, strings.Contains(m.String(), filled))
	}
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NotContains(t, m.String(), filled)
}
