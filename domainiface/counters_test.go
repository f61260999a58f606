// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network/host"
)

// TestCounters reads what has passed the device of each kind of guest.
func TestCounters(t *testing.T) {
	want := host.Counters{Received: host.Traffic{Packets: 1, Bytes: 60}, Sent: host.Traffic{Packets: 2, Bytes: 3000, Dropped: 1, Errors: 4}}
	for name, c := range map[string]struct {
		guest domainiface.Guest
		text  string
	}{
		"tap":               {domainiface.Guest{Name: "web"}, `<interface type='bridge'><source bridge='br0'/></interface>`},
		"end of a pair":     {box, `<interface type='bridge'><source bridge='br0'/></interface>`},
		"macvtap":           {domainiface.Guest{Name: "web"}, `<interface type='direct'><source dev='eth0'/></interface>`},
		"macvtap passthru":  {domainiface.Guest{Name: "web"}, `<interface type='direct'><source dev='eth1' mode='passthrough'/></interface>`},
		"macvlan":           {box, `<interface type='direct'><source dev='eth0'/></interface>`},
		"macvlan passthru":  {box, `<interface type='direct'><source dev='eth1' mode='passthrough'/></interface>`},
		"device of a group": {domainiface.Guest{Name: "web"}, `<interface type='network'><source network='shared'/></interface>`},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, _ := withBox(t, shared)
			port, err := domainiface.Attach(t.Context(), nets, c.guest, nic(t, c.text))
			require.NoError(t, err)
			got, err := port.Counters(t.Context())
			require.NoError(t, err)
			require.Zero(t, got)
			require.NoError(t, m.Count(port.Built[0].Op, want))
			again, err := domainiface.Lookup(t.Context(), nets, port.Network, port.ID)
			require.NoError(t, err)
			got, err = again.Counters(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.NoError(t, port.Detach(t.Context()))
			_, err = port.Counters(t.Context())
			require.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
	_, nets, _ := onFunctions(t)
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, function(first, " managed='yes'", "")))
	require.NoError(t, err)
	_, err = port.Counters(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
}
