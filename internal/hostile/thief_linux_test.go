// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
)

// TestPortRemoved deletes the device of a guest: it is told as lost and left alone, for its guest is gone with it. The other guest
// and the networks notice nothing, and the port can still be deleted.
func TestPortRemoved(t *testing.T) {
	h := newHouse(t)
	h.start()
	gone, stays := h.attach("lan", "gone"), h.attach("lan", "stays")
	h.host.Output(t, "ip", "link", "del", gone.Link)
	drift, err := h.nets.Repair(t.Context(), network.RepairRequest{})
	require.NoError(t, err)
	require.Len(t, drift, 1)
	require.Equal(t, gone.Link, drift[0].Lost)
	require.Empty(t, drift[0].Repair)
	h.lease("stays")
	require.NoError(t, gone.Detach(t.Context()))
	h.whole()
	require.NoError(t, stays.Detach(t.Context()))
	h.leave()
}

// TestAddressStolen moves the address of a bridge to another device of the host: that is found, and mended, and the thief keeps what
// he has.
func TestAddressStolen(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.attach("lan", "guest")
	had := h.lease("guest")
	h.host.Output(t, "ip", "addr", "add", "10.9.1.1/24", "dev", "eth9")
	h.whole() // what is put beside ours is no drift
	h.host.Output(t, "ip", "addr", "del", "10.9.1.1/24", "dev", "br1")
	drift, err := h.nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, drift, 1)
	require.Contains(t, drift[0].Missing.String(), "addr add 10.9.1.1/24 dev br1")
	_, err = h.nets.Repair(t.Context(), network.RepairRequest{Network: "lan"})
	require.NoError(t, err)
	h.whole()
	require.Contains(t, h.host.Output(t, "ip", "addr", "show", "dev", "eth9"), "10.9.1.1/24")
	h.host.Output(t, "ip", "addr", "del", "10.9.1.1/24", "dev", "eth9")
	require.Equal(t, had, h.lease("guest"))
	h.leave()
}

// TestGuestClaimsAddressOfHost has a guest take the address of the host: the host keeps it, and serves the others.
func TestGuestClaimsAddressOfHost(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.attach("lan", "thief")
	h.container.Output(t, "ip", "addr", "add", "10.9.1.1/24", "dev", "thief")
	h.attach("lan", "guest")
	h.lease("guest")
	h.whole()
	require.Contains(t, h.host.Output(t, "ip", "addr", "show", "dev", "br1"), "10.9.1.1/24")
	h.leave()
}
