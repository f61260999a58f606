// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// forwarding is a network with port forwards; number tells it from others.
func forwarding(t *testing.T, number int, forward, forwards string) *network.Network {
	t.Helper()
	n, err := network.Parse(strings.NewReader(fmt.Sprintf(`<network><name>n%d</name>%s<bridge name='br%[1]d'/><ip address='10.9.%[1]d.1' prefix='24'/>
		<ip family='ipv6' address='fd00:%[1]d::1' prefix='64'/>
		<v:forwards xmlns:v='https://go-virtnet.github.io/schemas/network/1.0'>%[3]s</v:forwards></network>`, number, forward, forwards)))
	require.NoError(t, err)
	require.NoError(t, n.Validate())
	return n
}

func townOf(t *testing.T, nets ...*network.Network) (*hosttest.Machine, *network.Manager) {
	t.Helper()
	m := hosttest.New("eth0")
	require.NoError(t, m.Do(t.Context(), host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.7/24")}))
	require.NoError(t, m.Do(t.Context(), host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.8/24")}))
	manager, err := network.Open(t.Context(), m, network.Memory())
	require.NoError(t, err)
	for _, n := range nets {
		require.NoError(t, manager.Create(t.Context(), n))
	}
	return m, manager
}

// Who connects to a port of the host gets to the guest, and nobody gets there otherwise.
func TestPortForwardPackets(t *testing.T) {
	const forwards = `<v:forward proto='tcp' port='8080-8081' to='10.9.1.2' toport='80-81'/><v:forward proto='udp' address='192.0.2.8' port='53' to='10.9.1.3'/>`
	for _, c := range []struct {
		forward, in, src, dst string
		proto                 host.Proto
		port                  uint16
		want                  string // where it goes, and from whom; nothing is nowhere
	}{
		{"nat", "eth0", "192.0.2.1", "192.0.2.7", host.TCP, 8080, "10.9.1.2:80 by br1 from 192.0.2.1"},
		{"nat", "eth0", "192.0.2.1", "192.0.2.8", host.TCP, 8081, "10.9.1.2:81 by br1 from 192.0.2.1"},
		{"nat", "eth0", "192.0.2.1", "192.0.2.8", host.UDP, 53, "10.9.1.3:53 by br1 from 192.0.2.1"},
		{"nat", "eth0", "192.0.2.1", "192.0.2.7", host.UDP, 53, "192.0.2.7:53 by  from 192.0.2.1"},
		{"nat", "eth0", "192.0.2.1", "192.0.2.7", host.TCP, 8082, "192.0.2.7:8082 by  from 192.0.2.1"},
		{"nat", "eth0", "192.0.2.1", "10.9.1.2", host.TCP, 80, ""},
		{"nat", "", "192.0.2.7", "192.0.2.7", host.TCP, 8080, "10.9.1.2:80 by br1 from 192.0.2.7"},
		{"nat", "br1", "10.9.1.2", "192.0.2.7", host.TCP, 8080, "10.9.1.2:80 by br1 from 10.9.1.1"},
		{"nat", "br2", "10.9.2.2", "192.0.2.7", host.TCP, 8080, "10.9.1.2:80 by br1 from 10.9.1.1"},
		{"nat", "br2", "10.9.2.2", "10.9.1.2", host.TCP, 80, ""},
		{"route", "eth0", "192.0.2.1", "192.0.2.7", host.TCP, 8080, "10.9.1.2:80 by br1 from 192.0.2.1"},
		{"open", "eth0", "192.0.2.1", "192.0.2.7", host.TCP, 8080, "10.9.1.2:80 by br1 from 192.0.2.1"},
		{"none", "eth0", "192.0.2.1", "192.0.2.7", host.TCP, 8080, "10.9.1.2:80 by br1 from 10.9.1.1"},
		{"none", "", "192.0.2.7", "192.0.2.7", host.TCP, 8080, "10.9.1.2:80 by br1 from 10.9.1.1"},
		{"none", "eth0", "192.0.2.1", "10.9.1.2", host.TCP, 80, ""},
	} {
		m, _ := townOf(t, forwarding(t, 1, "<forward mode='"+c.forward+"'/>", forwards), forwarding(t, 2, "<forward/>", ""))
		p, err := m.Send(hosttest.Packet{In: c.in, Src: netip.MustParseAddr(c.src), Dst: netip.MustParseAddr(c.dst), Proto: c.proto, DstPort: c.port})
		if c.want == "" {
			require.ErrorIs(t, err, fs.ErrPermission, "%+v", c)
			continue
		}
		require.NoError(t, err, "%+v", c)
		require.Equal(t, c.want, fmt.Sprintf("%s:%d by %s from %s", p.Dst, p.DstPort, p.Out, p.Src), "%+v", c)
	}
}

// A port has one network: the second is told who has it.
func TestPortForwardClaims(t *testing.T) {
	_, nets := townOf(t, forwarding(t, 1, "<forward/>", `<v:forward proto='tcp' port='80-90' to='10.9.1.2'/>`))
	err := nets.Create(t.Context(), forwarding(t, 2, "<forward/>", `<v:forward proto='tcp' port='85' to='10.9.2.2'/>`))
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, `/network/virtnet:forwards: network "n1" has the port too`)
	require.NoError(t, nets.Create(t.Context(), forwarding(t, 3, "<forward/>", `<v:forward proto='tcp' address='192.0.2.7' port='85' to='10.9.3.2'/>
		<v:forward proto='udp' port='85' to='10.9.3.2'/><v:forward proto='tcp' port='85' to='fd00:3::2'/>`)))
	_, err = nets.Update(t.Context(), "n3", network.UpdateRequest{Updates: []network.Update{{
		Section: network.SectionPortForward, Command: network.CommandAddLast, XML: `<forward proto='tcp' port='90' to='10.9.3.2'/>`,
	}}})
	require.ErrorIs(t, err, fs.ErrExist)
	require.NoError(t, nets.Stop(t.Context(), "n1"))
	require.NoError(t, nets.Create(t.Context(), forwarding(t, 2, "<forward/>", `<v:forward proto='tcp' port='85' to='10.9.2.2'/>`)))
}

// An isolated network with a port of the host needs a host that routes, and none without.
func TestPortForwardRoutes(t *testing.T) {
	m, nets := townOf(t, forwarding(t, 1, "", `<v:forward proto='tcp' port='80' to='10.9.1.2'/>`))
	f, err := m.Facts(t.Context(), host.Scope{Forwarding: true})
	require.NoError(t, err)
	require.True(t, f.Forwarding.IPv4)
	require.False(t, f.Forwarding.IPv6, "no guest has a port there")
	plan, err := nets.Update(t.Context(), "n1", network.UpdateRequest{Updates: []network.Update{{
		Section: network.SectionPortForward, Command: network.CommandDelete, XML: `<forward proto='tcp' port='80'/>`,
	}}})
	require.NoError(t, err)
	require.Empty(t, plan.Disruptive())
	f, err = m.Facts(t.Context(), host.Scope{All: true})
	require.NoError(t, err)
	require.Empty(t, f.Filters[0].Forwards)
	require.False(t, f.Forwarding.IPv4)
}

// libvirt knows nothing of port forwards.
func TestPortForwardCompat(t *testing.T) {
	n := forwarding(t, 1, "<forward/>", `<v:forward proto='tcp' port='80' to='10.9.1.2'/>`)
	m := hosttest.New("eth0")
	nets, err := network.Config{Rules: schema.Rules{Compat: true}}.Open(t.Context(), m, network.Memory())
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	f, err := m.Facts(t.Context(), host.Scope{All: true})
	require.NoError(t, err)
	require.Empty(t, f.Filters[0].Forwards)
}

// A filter of another program in front of a port is found.
func TestPortForwardBarrier(t *testing.T) {
	n := forwarding(t, 1, "<forward/>", `<v:forward proto='tcp' port='8080' to='10.9.1.2' toport='80'/>`)
	chain := host.Chain{Family: "ip", Table: "filter", Name: "FORWARD", Hook: "forward", Policy: host.Accept, Rules: []host.ChainRule{{
		Text: "tcp dport 80 drop", Do: host.Drop, When: []host.Condition{
			{Field: host.Transport, Protos: []host.Proto{host.TCP}}, {Field: host.DestPort, Ports: []host.PortRange{{From: 80, To: 80}}},
		},
	}}}
	var led []network.Barrier
	for _, b := range network.Barriers(n, &host.Facts{}, &host.Firewall{Chains: []host.Chain{chain}}) {
		if b.Traffic == network.Led {
			led = append(led, b)
		}
	}
	require.Equal(t, []network.Barrier{{Traffic: network.Led, Family: host.IPv4, Sure: network.Always, Chain: "ip filter FORWARD", Rule: "tcp dport 80 drop"}}, led)
}
