// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// TestReceive follows what a trusted guest wants its device to take: it is done, recorded, kept by another update, mended
// when it is lost, and taken back with the trust and with the port.
func TestReceive(t *testing.T) {
	m := hosttest.New("eth0")
	store := network.Memory()
	nets, err := network.Open(t.Context(), m, store)
	require.NoError(t, err)
	before := m.String()
	const text = `<interface type='direct' trustGuestRxFilters='yes'><mac address='52:54:00:00:00:01'/><source dev='eth0' mode='bridge'/></interface>`
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, text))
	require.NoError(t, err)
	takes := func() string {
		t.Helper()
		f, err := m.Facts(t.Context(), host.Scope{Receives: []string{port.Link}})
		require.NoError(t, err)
		require.Len(t, f.Receives, 1)
		drift, err := nets.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, drift)
		return f.Receives[0].String()
	}
	const own = "macvtap0 address 52:54:00:00:00:01 promisc off allmulticast off"
	require.Equal(t, own, takes())

	wants := domainiface.Reception{
		MAC: schema.MAC{0x52, 0x54, 0, 0, 0, 0x77}, Groups: []schema.MAC{{0x33, 0x33, 0, 0, 0, 9}, {1, 0, 0x5e, 0, 0, 5}, {0x33, 0x33, 0, 0, 0, 9}},
	}
	require.NoError(t, port.Receive(t.Context(), wants))
	const wanted = "macvtap0 address 52:54:00:00:00:77 promisc off allmulticast off groups 01:00:5e:00:00:05,33:33:00:00:00:09"
	require.Equal(t, wanted, takes())
	average := schema.Num(100)
	again, err := domainiface.Lookup(t.Context(), nets, "", port.ID)
	require.NoError(t, err)
	limited := nic(t, text[:len(text)-len("</interface>")]+`<bandwidth><inbound average='`+average.String()+`'/></bandwidth></interface>`)
	require.NoError(t, again.Update(t.Context(), limited))
	require.Equal(t, wanted, takes(), "another update")

	f, err := m.Facts(t.Context(), host.Scope{Receives: []string{port.Link}})
	require.NoError(t, err)
	lost := f.Receives[0]
	lost.Groups, lost.Promiscuous = nil, true
	require.NoError(t, m.Do(t.Context(), host.SetReceive{Link: port.Link, Receive: lost, Was: f.Receives[0]}))
	_, err = nets.Repair(t.Context(), network.RepairRequest{})
	require.NoError(t, err)
	require.Equal(t, wanted, takes(), "mended")

	many := domainiface.Reception{Promiscuous: true, Groups: make([]schema.MAC, host.MaxGroups+1)}
	for i := range many.Groups {
		many.Groups[i] = schema.MAC{1, byte(i)}
	}
	require.NoError(t, again.Receive(t.Context(), many))
	require.Equal(t, "macvtap0 address 52:54:00:00:00:01 promisc on allmulticast on", takes(), "more groups than a device knows")
	untrusted := nic(t, `<interface type='direct' trustGuestRxFilters='no'><mac address='52:54:00:00:00:01'/><source dev='eth0' mode='bridge'/></interface>`)
	require.NoError(t, again.Update(t.Context(), untrusted))
	require.Equal(t, own, takes(), "not trusted any more")
	require.ErrorIs(t, again.Receive(t.Context(), wants), fs.ErrPermission)
	require.Equal(t, own, takes())
	require.NoError(t, again.Detach(t.Context()))
	require.Equal(t, before, m.String())

	_, lan := onLAN(t)
	tap, err := domainiface.Attach(t.Context(), lan, domainiface.Guest{Name: "web"}, nic(t, `<interface type='network' trustGuestRxFilters='yes'><source network='lan'/></interface>`))
	require.NoError(t, err)
	require.ErrorIs(t, tap.Receive(t.Context(), wants), errors.ErrUnsupported)
}

// TestReceivePassthrough has a device that a guest has for itself take everything until the guest has said what it wants, and
// again when it is not trusted any more.
func TestReceivePassthrough(t *testing.T) {
	m, nets, _ := onCards(t)
	before := m.String()
	text := `<interface type='direct' trustGuestRxFilters='yes'><mac address='52:54:00:00:00:01'/><source dev='eth1' mode='passthrough'/></interface>`
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, text))
	require.NoError(t, err)
	takes := func() string {
		t.Helper()
		f, err := m.Facts(t.Context(), host.Scope{Receives: []string{port.Link}})
		require.NoError(t, err)
		drift, err := nets.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, drift)
		return f.Receives[0].String()
	}
	const everything, own = "macvtap0 address 52:54:00:00:00:01 promisc on allmulticast off", "macvtap0 address 52:54:00:00:00:01 promisc off allmulticast off"
	require.Equal(t, everything, takes())
	require.NoError(t, port.Receive(t.Context(), domainiface.Reception{}))
	require.Equal(t, own, takes())
	require.NoError(t, port.Receive(t.Context(), domainiface.Reception{Promiscuous: true}))
	require.Equal(t, everything, takes())
	require.NoError(t, port.Receive(t.Context(), domainiface.Reception{}))
	require.NoError(t, port.Update(t.Context(), nic(t, strings.Replace(text, "'yes'", "'no'", 1))))
	require.Equal(t, everything, takes())
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, before, m.String())
}
