// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
)

// TestContainersOnCard has containers on a card of the host, by themselves and on a network, in each mode. They reach the
// machine outside, and each other where the mode says so; what they have goes with them.
func TestContainersOnCard(t *testing.T) {
	for mode, together := range map[string]bool{"vepa": false, "private": false, "bridge": true, "passthrough": false} {
		if testing.Short() && (mode == "vepa" || mode == "private") {
			continue // what does not arrive takes its time
		}
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t)
			if mode == "passthrough" {
				w.ip(w.host, "addr flush dev eth0") // a network hands out what the host does not use
			}
			w.start(`<network><name>cards</name><forward mode='` + mode + `'><interface dev='eth0'/></forward></network>`)
			first := w.attach("first", `<interface type='direct'><source dev='eth0' mode='`+mode+`'/></interface>`)
			w.ip(first.Namespace, "addr add 203.0.113.11/24 dev eth0")
			reaches := func(from *testenv.Namespace, to string) bool {
				return lab.Probe(t.Context(), from.Path(), lab.ICMP, netip.MustParseAddr(to)) == nil
			}
			outside := func(from *guest, own string) {
				t.Helper()
				testenv.WaitFor(t, 20*time.Second, "the machine outside answers", func() bool { return reaches(from.Namespace, "203.0.113.2") })
				require.True(t, reaches(w.outside, own))
			}
			outside(first, "203.0.113.11")
			if mode == "passthrough" { // which the host cannot share
				require.Contains(t, w.host.Output(t, "ip", "link", "show", "eth0"), first.port.MAC.String())
				w.detach(first)
				require.NotContains(t, w.host.Output(t, "ip", "link", "show", "eth0"), "52:54:00")
			}
			second := w.attach("second", `<interface type='network'><source network='cards'/></interface>`)
			w.ip(second.Namespace, "addr add 203.0.113.12/24 dev eth0")
			outside(second, "203.0.113.12")
			if mode != "passthrough" {
				require.Equal(t, together, reaches(first.Namespace, "203.0.113.12"))
				require.Equal(t, together, reaches(second.Namespace, "203.0.113.11"))
			}
			w.detach(second)
			require.NotContains(t, second.Output(t, "ip", "link"), "eth0")
		})
	}
}
