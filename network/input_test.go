// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"io/fs"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// Guests that are kept from the host reach what their network serves and what is allowed.
func TestInputPolicy(t *testing.T) {
	const own = `xmlns:v='https://go-virtnet.github.io/schemas/network/1.0'`
	open := parse(t, `<network><name>n</name><bridge name='br1'/><ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.9'/></dhcp></ip></network>`)
	guarded := parse(t, `<network><name>n</name><bridge name='br1'/><ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.9'/></dhcp></ip>
		<v:input policy='reject' `+own+`><v:allow proto='tcp' port='8000-8010'/><v:allow proto='tcp' port='8005-8020'/></v:input></network>`)
	m, nets := townOf(t, open)
	send := func(proto host.Proto, port uint16, established bool) error {
		_, err := m.Send(hosttest.Packet{In: "br1", Src: netip.MustParseAddr("10.9.1.2"), Dst: netip.MustParseAddr("192.0.2.7"), Proto: proto, DstPort: port, Established: established})
		return err
	}
	require.NoError(t, send(host.TCP, 22, false))

	_, err := nets.Update(t.Context(), "n", network.UpdateRequest{Document: guarded})
	require.ErrorIs(t, err, network.ErrDisruptive)
	require.ErrorContains(t, err, "guests reach less of the host")
	plan, err := nets.Update(t.Context(), "n", network.UpdateRequest{Document: guarded, Disruptive: true})
	require.NoError(t, err)
	require.Len(t, plan.Changes, 1)
	f, err := m.Facts(t.Context(), host.Scope{All: true})
	require.NoError(t, err)
	require.Equal(t, []host.Service{
		{Proto: host.TCP, Ports: host.PortRange{From: 53, To: 53}}, {Proto: host.TCP, Ports: host.PortRange{From: 8000, To: 8020}},
		{Proto: host.UDP, Ports: host.PortRange{From: 53, To: 53}}, {Proto: host.UDP, Ports: host.PortRange{From: 67, To: 67}},
	}, f.Filters[0].Open)
	require.ErrorIs(t, send(host.TCP, 22, false), fs.ErrPermission)
	require.NoError(t, send(host.TCP, 22, true), "an answer")
	require.NoError(t, send(host.TCP, 8020, false))
	require.NoError(t, send(host.UDP, 67, false))
	require.NoError(t, send(1, 0, false), "ICMP")

	plan, err = nets.Update(t.Context(), "n", network.UpdateRequest{Document: open})
	require.NoError(t, err)
	require.Empty(t, plan.Disruptive())
	require.NoError(t, send(host.TCP, 22, false))
}
