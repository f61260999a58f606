// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamesOfOthers has others use our names before us: a bridge, and a chain in a table that is called as ours. A network whose bridge
// there is already is refused, and nothing of theirs is touched when another one comes and goes.
func TestNamesOfOthers(t *testing.T) {
	h := newHouse(t)
	h.host.Output(t, "ip", "link", "add", "br1", "address", "02:00:00:00:07:07", "type", "bridge")
	h.host.Output(t, "ip", "link", "set", "br1", "addrgenmode", "none")
	h.host.Output(t, "nft", "add table inet virtnet; add chain inet virtnet theirs; add rule inet virtnet theirs ip saddr 192.0.2.1 drop")
	seen := h.host.Snapshot(t)
	h.open()
	h.define(lan)
	h.define(other)
	err := h.nets.Start(t.Context(), "lan")
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "br1")
	h.host.Unchanged(t, seen, "refused,")
	require.NoError(t, h.nets.Start(t.Context(), "other"))
	h.attach("other", "guest")
	h.lease("guest")
	for p, err := range h.nets.Ports(t.Context(), "other") {
		require.NoError(t, err)
		require.NoError(t, h.nets.DeletePort(t.Context(), "other", p.Port.UUID))
	}
	require.NoError(t, h.nets.Stop(t.Context(), "other"))
	require.Contains(t, h.host.Output(t, "nft", "list", "chain", "inet", "virtnet", "theirs"), "192.0.2.1")
	require.Contains(t, h.host.Output(t, "ip", "link", "show", "br1"), "02:00:00:00:07:07")
}
