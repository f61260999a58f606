// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestReceivePackets has a guest take another address, a group and everything, one after the other, and wants nothing of
// it to come before and after.
func TestReceivePackets(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"vepa", "private", "bridge", host.Passthru} {
		t.Run(mode, func(t *testing.T) {
			l := newLAN(t, false)
			l.host.Output(t, "ip", "link", "set", "card", "up")
			_, guest := l.guest("mv0", "card", mode, guestA)
			l.settle(guest) // the card may need a moment to be on
			own := host.Receive{Link: "mv0", MAC: guestA, Promiscuous: mode == host.Passthru}
			other, group := host.MAC{0x52, 0x54, 0, 0, 9, 9}, host.MAC{1, 0, 0x5e, 0x11, 0x22, 0}
			// The kernel tells groups apart by a hash of few bits, which is another one in each namespace.
			for mode != host.Passthru && l.passes(l.station, stationMAC, group, guest, guest) > 0 && group[5] < 9 {
				group[5]++
			}
			for name, c := range map[string]struct {
				takes host.Receive
				to    host.MAC
			}{
				"another address": {host.Receive{Link: "mv0", MAC: other}, other},
				"a group":         {host.Receive{Link: "mv0", MAC: guestA, Groups: []host.MAC{group}}, group},
				"all groups":      {host.Receive{Link: "mv0", MAC: guestA, AllMulticast: true}, group},
			} {
				if mode == host.Passthru && name == "another address" {
					continue // it takes all of that already
				}
				op := host.SetReceive{Link: "mv0", Receive: c.takes, Was: own}
				silent := mode != host.Passthru
				if silent {
					require.Zero(t, l.passes(l.station, stationMAC, c.to, guest, guest), name+", before")
				}
				do(t, l.b, op)
				require.Equal(t, 1, l.passes(l.station, stationMAC, c.to, guest, guest), name)
				do(t, l.b, op.Inverse())
				if silent {
					require.Zero(t, l.passes(l.station, stationMAC, c.to, guest, guest), name+", after")
				}
			}
		})
	}
}

// TestReceivePromiscuity has the card below a guest in mode passthru take everything until the guest has said what it wants,
// and when it wants everything.
func TestReceivePromiscuity(t *testing.T) {
	t.Parallel()
	b, ns, _ := withCard(t)
	made := alone(t, b)
	own := host.Receive{Link: made.Link, MAC: made.MAC, Promiscuous: true}
	little := host.Receive{Link: made.Link, MAC: made.MAC, Groups: []host.MAC{{1, 0, 0x5e, 1, 2, 3}}}
	promiscuity := func(want string) {
		t.Helper()
		require.Contains(t, ns.Output(t, "ip", "-d", "link", "show", "eth0"), "promiscuity "+want)
	}
	do(t, b, made, host.SetUp{Link: "eth0"}, host.SetUp{Link: made.Link})
	promiscuity("1")
	for range 2 {
		op := host.SetReceive{Link: made.Link, Receive: little, Was: own}
		do(t, b, op)
		promiscuity("0")
		require.True(t, op.Holds(facts(t, b, op.Scope())))
		do(t, b, op.Inverse())
		promiscuity("1")
	}
	do(t, b, host.SetReceive{Link: made.Link, Receive: little, Was: own}, made.Inverse())
	promiscuity("0")
}
