// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// The limits of a network change under the floors of its ports, and go with them to another bridge.
func TestUpdateShape(t *testing.T) {
	document := func(bridge string, average int) network.UpdateRequest {
		return network.UpdateRequest{Live: true, Config: true, Disruptive: true, Document: parse(t, fmt.Sprintf(
			`<network><name>net1</name><bridge name='%s' stp='off'/><mac address='52:54:00:00:00:01'/>`+
				`<bandwidth><inbound average='%d'/></bandwidth><ip address='10.9.1.1' prefix='24'/></network>`, bridge, average))}
	}
	ctx, m, store := t.Context(), hosttest.New("eth0"), network.Memory()
	nets := open(t, m, store)
	require.NoError(t, nets.Define(ctx, document("br1", 1000).Document))
	require.NoError(t, nets.Start(ctx, "net1"))
	_, err := nets.CreatePort(ctx, floorOn("net1", 300, 7))
	require.NoError(t, err)

	p, err := nets.PlanUpdate(ctx, "net1", document("br1", 2000))
	require.NoError(t, err)
	require.Len(t, p.Changes, 1)
	require.IsType(t, host.SetShape{}, p.Changes[0].Op)
	require.Empty(t, p.Disruptive())
	_, err = nets.Update(ctx, "net1", document("br1", 2000))
	require.NoError(t, err)
	require.Contains(t, m.String(), "shape br1 egress rate 2000kbps")
	before := m.String()
	_, err = nets.Update(ctx, "net1", document("br1", 200))
	require.ErrorIs(t, err, fs.ErrInvalid, "less than the floors of the ports")
	require.Equal(t, before, m.String())

	for k := 0; ; k++ {
		cause, left := errors.New("told to fail"), k
		m.Fail = func(host.Op) error {
			if left--; left == -1 {
				return cause
			}
			return nil
		}
		_, err = nets.Update(ctx, "net1", document("br2", 2000))
		m.Fail = nil
		if left >= 0 {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, cause)
		require.Equal(t, before, m.String(), "operation %d failed", k+1)
	}
	require.Equal(t, strings.ReplaceAll(before, "br1", "br2"), m.String(), "the same on another bridge")
	nets = open(t, m, store)
	require.Equal(t, strings.ReplaceAll(before, "br1", "br2"), m.String(), "there is nothing to mend")
	drift, err := nets.Plan(ctx, "net1")
	require.NoError(t, err)
	require.Empty(t, drift)
	require.NoError(t, nets.Stop(ctx, "net1"))
}
