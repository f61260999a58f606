// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
)

// TestMacvtapIsLost tells of a guest whose card is pulled out, which its descriptors never would; its port can be taken away.
func TestMacvtapIsLost(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	ns.Output(t, "ip", "link", "add", "card", "type", "veth", "peer", "name", "wire")
	nets, err := network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	nic, err := domainiface.Parse(strings.NewReader(`<interface type='direct'><source dev='card' mode='passthrough'/></interface>`))
	require.NoError(t, err)
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic)
	require.NoError(t, err)
	files, err := port.Open(t.Context(), 1)
	require.NoError(t, err)
	defer files[0].Close()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	lost, pulled := false, false
	for e, err := range nets.Watch(ctx) {
		if err != nil {
			break
		}
		if !pulled {
			pulled = true
			ns.Output(t, "ip", "link", "del", "card")
		}
		if e.Kind == network.EventDeviceLost && e.Link == port.Link {
			require.Equal(t, port.ID, e.Port)
			lost = true
			break
		}
	}
	require.True(t, lost)
	require.NoError(t, port.Detach(t.Context()))
	testenv.WaitFor(t, time.Second, "no link", func() bool { return !strings.Contains(ns.Output(t, "ip", "link"), port.Link) })
}
