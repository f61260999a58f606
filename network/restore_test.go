// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// damages are what becomes of a file of which nobody took care.
var damages = []struct {
	name  string
	spoil func(data []byte) []byte
}{
	{"empty", func([]byte) []byte { return nil }},
	{"cut off", func(data []byte) []byte { return data[:len(data)/2] }},
	{"without its end", func(data []byte) []byte { return data[:len(data)-1] }},
	{"zeros", func(data []byte) []byte { return make([]byte, len(data)) }},
	{"a bit", func(data []byte) []byte {
		data = bytes.Clone(data)
		data[bytes.Index(data, []byte("10.9.2"))+1] ^= 1 // 11.9.2, which is as good an address
		return data
	}},
	{"another's", func(data []byte) []byte { return append(bytes.Clone(data), data...) }},
}

// spoiledHouse is a machine with two networks, of which the record of net2 is damaged.
func spoiledHouse(t *testing.T, stored string, spoil func([]byte) []byte) (*hosttest.Machine, network.Store) {
	t.Helper()
	ctx := t.Context()
	m, store := hosttest.New("eth0"), network.Memory()
	nets := open(t, m, store)
	for i := range 2 {
		n := small(t, i+2)
		require.NoError(t, nets.Define(ctx, n))
		require.NoError(t, nets.Start(ctx, n.Name))
	}
	data, err := store.Load(ctx, stored)
	require.NoError(t, err)
	require.NoError(t, store.Save(ctx, stored, spoil(data)))
	return m, store
}

// opened opens a store, and tells what was restored.
func opened(t *testing.T, m host.Backend, store network.Store) (*network.Manager, []string) {
	t.Helper()
	var told []string
	nets, err := network.Config{Tell: func(e network.Event) {
		if e.Kind == network.EventRestored {
			told = append(told, e.Network)
		}
	}}.Open(t.Context(), m, store)
	require.NoError(t, err)
	return nets, told
}

// TestSpoiledRecord damages the record of a network that runs, in every way: that is noticed and said, the other network
// goes on, and the record is made anew from the definition and the mark of the bridge, while the network stays as it is.
func TestSpoiledRecord(t *testing.T) {
	for _, damage := range damages {
		t.Run(damage.name, func(t *testing.T) {
			ctx := t.Context()
			m, store := spoiledHouse(t, "run/networks/net2", damage.spoil)
			whole, done := m.String(), len(m.Log())
			nets, err := network.Config{}.Open(ctx, blindMachine{m}, network.Memory()) // of somebody else
			require.NoError(t, err)
			require.Empty(t, names(t, nets))

			nets, told := opened(t, m, store)
			require.Equal(t, []string{"net2"}, told)
			require.Equal(t, whole, m.String())
			require.Len(t, m.Log(), done, "nothing was done on the host")
			drift, err := nets.Check(ctx)
			require.NoError(t, err)
			require.Empty(t, drift)
			for _, name := range []string{"net2", "net3"} {
				require.NoError(t, nets.Stop(ctx, name))
			}
			require.Equal(t, hosttest.New("eth0").String(), m.String(), "all of it was known")
			_, told = opened(t, m, store)
			require.Empty(t, told)
		})
	}
}

// TestSpoiledRecordIsSaid: who works on while a record is damaged is told, and only about its network.
func TestSpoiledRecordIsSaid(t *testing.T) {
	ctx := t.Context()
	m, store := hosttest.New("eth0"), network.Memory()
	nets := open(t, m, store)
	for i := range 2 {
		n := small(t, i+2)
		require.NoError(t, nets.Define(ctx, n))
		require.NoError(t, nets.Start(ctx, n.Name))
	}
	data, err := store.Load(ctx, "run/networks/net2")
	require.NoError(t, err)
	require.NoError(t, store.Save(ctx, "run/networks/net2", data[:100]))
	_, err = nets.Check(ctx)
	require.ErrorContains(t, err, "store: run/networks/net2: it has been cut off")
	_, err = nets.Lookup(ctx, "net2")
	require.ErrorContains(t, err, "store: run/networks/net2: it has been cut off")
	_, err = nets.CreatePort(ctx, guestOn("net2"))
	require.ErrorContains(t, err, "store: run/networks/net2: it has been cut off")
	_, err = nets.CreatePort(ctx, guestOn("net3"))
	require.NoError(t, err)
	require.NoError(t, nets.Stop(ctx, "net3"))
	require.NoError(t, nets.Start(ctx, "net3"))
	_, err = nets.Repair(ctx, network.RepairRequest{Network: "net2"})
	require.NoError(t, err)
	_, err = nets.CreatePort(ctx, guestOn("net2"))
	require.NoError(t, err)
}

// TestSpoiledRecordOfWhatIsGone: without the bridge, what is left of the network is taken away; and without a definition nothing tells
// what it was.
func TestSpoiledRecordOfWhatIsGone(t *testing.T) {
	ctx := t.Context()
	cut := func([]byte) []byte { return []byte("{") }
	m, store := spoiledHouse(t, "run/networks/net2", cut)
	f, err := m.Facts(ctx, host.Scope{All: true})
	require.NoError(t, err)
	bridge := f.Link("virbr0")
	require.NoError(t, m.Do(ctx, host.AddBridge{Link: bridge.Name, MAC: bridge.MAC, Owner: bridge.Owner}.Inverse()))
	nets, told := opened(t, m, store)
	require.Equal(t, []string{"net2"}, told)
	s, err := nets.Lookup(ctx, "net2")
	require.NoError(t, err)
	require.False(t, s.Active())
	require.NoError(t, nets.Stop(ctx, "net3"))
	require.Equal(t, hosttest.New("eth0").String(), m.String())

	m, store = spoiledHouse(t, "run/networks/net2", cut)
	require.NoError(t, store.Remove(ctx, "networks/net2"))
	whole := m.String()
	nets, err = network.Open(context.Background(), m, store)
	require.ErrorContains(t, err, "recover net2: store: run/networks/net2: it has been cut off, and the network is not defined")
	require.Equal(t, whole, m.String())
	require.NoError(t, nets.Stop(ctx, "net3"), "the other one")
}

// TestSpoiledClaims: what the networks of a host have together is counted again.
func TestSpoiledClaims(t *testing.T) {
	ctx := t.Context()
	m, store := spoiledHouse(t, "run/host", func([]byte) []byte { return nil })
	nets, _ := opened(t, m, store)
	clash := small(t, 9)
	clash.IPs = small(t, 2).IPs
	require.NoError(t, nets.Define(ctx, clash))
	require.Error(t, nets.Start(ctx, clash.Name), "the addresses of net2")
	for i := range 3 {
		_, err := nets.CreatePort(ctx, guestOn("net2"))
		require.NoError(t, err, fmt.Sprint("guest ", i))
	}
}
