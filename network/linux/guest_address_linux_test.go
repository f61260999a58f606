// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// TestGuestAddresses asks which addresses the guests of a network have: one is known from the lease of a real server and
// from the kernel's neighbours, with whom the guest has just talked, another from the document only.
func TestGuestAddresses(t *testing.T) {
	t.Parallel()
	u := newUpdated(t)
	u.one(network.SectionDHCPHost, `<host mac='52:54:00:00:00:07' name='db' ip='10.9.0.7'/>`)
	u.guest.Run(t, func() { // the name server answers by TCP as well
		conn, err := net.Dial("tcp4", "10.9.0.1:53")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	})
	web := schema.MAC{0x52, 0x54, 0, 0, 0, 1}
	of := func(source network.AddressSource) (found []network.GuestAddress) {
		for a, err := range u.nets.Addresses(t.Context(), "net0") {
			require.NoError(t, err)
			if a.Source == source {
				found = append(found, a)
			}
		}
		return found
	}
	testenv.WaitFor(t, 10*time.Second, "the guest is a neighbour that was heard of", func() bool {
		for _, a := range of(network.FromNeighbour) {
			if a.Addr == u.grant.Addr.Addr() && a.MAC == web && a.Confirmed {
				return true
			}
		}
		return false
	})
	leases := of(network.FromLease)
	require.Len(t, leases, 1)
	require.Equal(t, u.grant.Addr.Addr(), leases[0].Addr)
	require.Equal(t, web, leases[0].MAC)
	require.Equal(t, "web", leases[0].Hostname)
	require.True(t, leases[0].Confirmed)
	require.WithinDuration(t, time.Now().Add(u.grant.Time), leases[0].Expires, time.Minute)
	require.Equal(t, []network.GuestAddress{{
		Addr: netip.MustParseAddr("10.9.0.7"), Source: network.FromHost, MAC: schema.MAC{0x52, 0x54, 0, 0, 0, 7}, Hostname: "db",
	}}, of(network.FromHost))
}
