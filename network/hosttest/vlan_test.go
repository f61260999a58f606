// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func TestAddVLAN(t *testing.T) {
	m := New("eth0")
	require.NoError(t, m.AddVLAN("eth0.2", "eth0", 2))
	f, err := m.Facts(t.Context(), host.Scope{Links: []string{"eth0.2"}})
	require.NoError(t, err)
	require.Len(t, f.Links, 1)
	require.Equal(t, "eth0.2 type vlan mac 02:00:00:00:00:01 mtu 1500 up on eth0 vlan 2", f.Links[0].String())

	require.ErrorIs(t, m.AddVLAN("eth0.2", "eth0", 2), fs.ErrExist)
	require.ErrorIs(t, m.AddVLAN("eth1.2", "eth1", 2), fs.ErrNotExist)
	require.ErrorIs(t, m.AddVLAN("eth0.0", "eth0", 0), fs.ErrInvalid)
	require.ErrorIs(t, m.AddVLAN("eth0.4095", "eth0", 4095), fs.ErrInvalid)
	require.ErrorIs(t, m.AddVLAN("a/b", "eth0", 3), fs.ErrInvalid)
}
