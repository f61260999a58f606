// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"
)

// takes4 lets a guest ask for an address and take it.
func (w *town) takes4(who byte) netip.Addr {
	w.t.Helper()
	say := func(kind dhcpv4.MessageType, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
		in, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(net.HardwareAddr{0x52, 0x54, 0, 0, 0, who}), dhcpv4.WithMessageType(kind)}, more...)...)
		require.NoError(w.t, err)
		out, changes := w.server.dhcp4.answer(in, w.now)
		require.True(w.t, w.keeps(changes, who, false))
		require.NotNil(w.t, out, "guest %d is not answered", who)
		return out
	}
	offer := addrOf(say(dhcpv4.MessageTypeDiscover).YourIPAddr)
	ack := say(dhcpv4.MessageTypeRequest, wants(offer.String()), of("10.1.1.1"))
	require.Equal(w.t, dhcpv4.MessageTypeAck, ack.MessageType())
	return addrOf(ack.YourIPAddr)
}

// TestClockJumps has the clock of the host jump to and fro, with a new program in between that knows what is written down: guests who
// ask again keep their addresses, and nobody else is given them.
func TestClockJumps(t *testing.T) {
	const year = 365 * 24 * time.Hour
	w := newTown(t)
	first, second := w.takes4(3), w.takes4(4)
	require.NotEqual(t, first, second)
	for i, jump := range []time.Duration{time.Minute, -time.Hour, -20 * year, 10 * year, time.Minute, 30 * year, -20 * year} {
		w.now = w.now.Add(jump)
		if i%2 == 0 {
			w.begin()
		}
		require.Equal(t, first, w.takes4(3), "after a jump by %s", jump)
		require.Equal(t, second, w.takes4(4), "after a jump by %s", jump)
		require.NotContains(t, []netip.Addr{first, second}, w.takes4(5), "after a jump by %s", jump)
	}
}
