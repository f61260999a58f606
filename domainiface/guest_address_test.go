// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// sources lists the addresses of a port with where they are known from.
func sources(t *testing.T, p *domainiface.Port) []string {
	t.Helper()
	var list []string
	for a, err := range p.Addresses(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, p.MAC, a.MAC)
		list = append(list, a.Source.String()+" "+a.Addr.String())
	}
	return list
}

func TestPortAddresses(t *testing.T) {
	m, nets := onLAN(t)
	require.NoError(t, m.Do(t.Context(), host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 1, 1}}))
	mac := host.MAC{0x52, 0x54, 0, 0, 0, 1}
	for text, link := range map[string]string{
		`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/></interface>`: "lan0",
		`<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>`:   "br0",
	} {
		p, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, text))
		require.NoError(t, err)
		require.Empty(t, sources(t, p))
		require.NoError(t, m.Learn(link, host.Neighbour{Addr: netip.MustParseAddr("10.1.1.7"), MAC: mac}))
		require.NoError(t, m.Learn(link, host.Neighbour{Addr: netip.MustParseAddr("10.1.1.8"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}}))
		require.Equal(t, []string{"neighbour 10.1.1.7"}, sources(t, p))
		require.NoError(t, p.Detach(t.Context()))
	}
	_, nets = onLAN(t)
	p, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, `<interface type='network'><source network='lan'/></interface>`))
	require.NoError(t, err)
	require.NoError(t, p.Detach(t.Context()))
	require.NoError(t, nets.Stop(t.Context(), "lan"))
	for _, err := range p.Addresses(t.Context()) {
		require.Error(t, err)
	}
	require.Equal(t, "lease", network.FromLease.String())
}
