// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// TestPortCounts reads what has passed the devices of guests, as the guests see it: on a tap and on macvtap devices, where
// the host sees the one the other way round.
func TestPortCounts(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"vepa", "bridge", "private", "passthrough"} {
		t.Run(mode, func(t *testing.T) {
			l := newLAN(t, false)
			count, guest := l.countsOf(fmt.Sprintf(`<interface type='direct'><mac address='%s'/><source dev='card' mode='%s'/><model type='e1000'/></interface>`, guestA, mode))
			in := newInbox(guest)
			before := count()
			l.learn(guest, guestA)
			after := count()
			require.Greater(t, after.Sent.Packets, before.Sent.Packets)
			require.GreaterOrEqual(t, after.Sent.Bytes-before.Sent.Bytes, 14*(after.Sent.Packets-before.Sent.Packets))
			require.Equal(t, before.Received, after.Received)
			l.reach(guestA, in)
			end := count()
			require.Greater(t, end.Received.Packets, after.Received.Packets)
			require.Equal(t, after.Sent, end.Sent)
		})
	}
	t.Run("tap", func(t *testing.T) {
		l := newLAN(t, false)
		do(t, l.b, host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.SetUp{Link: "br0"}, host.Plug{Link: "card", Bridge: "br0"})
		count, guest := l.countsOf(fmt.Sprintf(`<interface type='bridge'><mac address='%s'/><source bridge='br0'/><model type='e1000'/></interface>`, guestA))
		in := newInbox(guest)
		before := count()
		l.learn(guest, guestA)
		after := count()
		require.Greater(t, after.Sent.Packets, before.Sent.Packets)
		l.reach(guestA, in)
		end := count()
		require.Greater(t, end.Received.Packets, after.Received.Packets)
		require.Equal(t, after.Sent, end.Sent)
	})
}

// countsOf attaches a guest, and reads its counters and its device.
func (l *lan) countsOf(text string) (func() host.Counters, *os.File) {
	l.t.Helper()
	nets, err := network.Open(l.t.Context(), l.b, network.Memory())
	require.NoError(l.t, err)
	port, err := attach(l.t, nets, "web", text)
	require.NoError(l.t, err)
	files, err := port.Open(l.t.Context(), 1)
	require.NoError(l.t, err)
	l.t.Cleanup(func() { files[0].Close() })
	return func() host.Counters {
		l.t.Helper()
		c, err := port.Counters(l.t.Context())
		require.NoError(l.t, err)
		return c
	}, files[0]
}
