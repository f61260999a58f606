// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
)

// TestPortHook asks a hook about guests in the kernel: one that it refuses leaves no trace, one that it takes is there
// after it was asked, and gone before it is told so. The guest is moved to a bridge of the host in between.
func TestPortHook(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	no := errors.New("no")
	refuse, seen := true, []string(nil)
	nets, err := network.Config{Hook: func(_ context.Context, c network.PortChange) error {
		seen = append(seen, c.Action.String())
		if strings.Contains(ns.Output(t, "ip", "link"), c.Link+":") {
			t.Errorf("%s is there at %s", c.Link, c.Action)
		}
		if refuse {
			return no
		}
		return nil
	}}.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(`<network><name>lan</name><bridge name='lan0' stp='off'/></network>`))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	ns.Output(t, "ip", "link", "add", "hostbr0", "type", "bridge")
	i, err := domainiface.Parse(strings.NewReader(`<interface type='network'><source network='lan'/></interface>`))
	require.NoError(t, err)

	before := ns.Snapshot(t)
	_, err = domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, i)
	require.ErrorIs(t, err, no)
	ns.Unchanged(t, before, "after a port that was refused")
	refuse = false
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, i)
	require.NoError(t, err)
	require.Contains(t, ns.Output(t, "ip", "link", "show", port.Link), "master lan0")

	elsewhere, err := network.Parse(strings.NewReader(`<network><name>lan</name><forward mode='bridge'/><bridge name='hostbr0'/></network>`))
	require.NoError(t, err)
	_, err = nets.Update(t.Context(), "lan", network.UpdateRequest{Document: elsewhere, Live: true, Disruptive: true})
	require.NoError(t, err)
	require.Contains(t, ns.Output(t, "ip", "link", "show", port.Link), "master hostbr0")
	require.NotContains(t, ns.Output(t, "ip", "link"), "lan0")
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, []string{"plug", "plug", "unplug"}, seen)
}
