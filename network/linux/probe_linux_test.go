// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestProbeRelay tries a switch that says nothing and reflects or not, as the facts then know. Nobody but the switch notices.
func TestProbeRelay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hairpin bool
		want    host.Relay
	}{{false, host.RelayNo}, {true, host.RelayYes}} {
		t.Run(fmt.Sprintf("reflection %t", c.hairpin), func(t *testing.T) {
			t.Parallel()
			l := newLAN(t, c.hairpin)
			require.Equal(t, host.Switch{Link: "card"}, heardAt(t, l.b, "card"), "before")
			_, guest := l.guest("mv0", "card", "vepa", guestA)
			got, err := l.b.ProbeRelay(t.Context(), "card")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, host.Switch{Link: "card", Relay: c.want}, heardAt(t, l.b, "card"))
			require.Equal(t, host.Switch{Link: "card2"}, heardAt(t, l.b, "card2"), "which was not tried")
			for _, frame := range guest.take("") {
				require.NotContains(t, string(frame), "does the switch reflect", "to the guest beside")
			}

			do(t, l.b, host.SetDown{Link: "card"})
			_, err = l.b.ProbeRelay(t.Context(), "card")
			require.ErrorIs(t, err, fs.ErrNotExist)
			l.host.Output(t, "ip", "link", "del", "card")
			l.host.Output(t, "ip", "link", "add", "card", "type", "ifb")
			require.Equal(t, host.Switch{Link: "card"}, heardAt(t, l.b, "card"), "of another card of that name")
		})
	}
}

// TestProbeRelayOfTakenCards refuses to try where what comes back goes elsewhere.
func TestProbeRelayOfTakenCards(t *testing.T) {
	t.Parallel()
	l := newLAN(t, true)
	do(t, l.b, host.AddBridge{Link: "br1", MAC: guestB}, host.Plug{Link: "card2", Bridge: "br1"})
	l.guest("mv0", "card", host.Passthru, guestA)
	for card, want := range map[string]string{
		"card":  "link card belongs to mv0, which takes what comes in: unsupported operation",
		"card2": "link card2 belongs to another, which takes what comes in: unsupported operation",
		"lo":    "link lo has no Ethernet: unsupported operation",
	} {
		_, err := l.b.ProbeRelay(t.Context(), card)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.EqualError(t, err, want)
	}
}
