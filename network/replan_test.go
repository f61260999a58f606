// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// planned are the plans of all networks of testdata/managed, as if each were the same network on the same bridge.
func planned(t *testing.T) map[string]host.Plan {
	t.Helper()
	plans := map[string]host.Plan{}
	for path, text := range files(t, "managed/*.xml") {
		n := parse(t, text)
		id, err := schema.ParseUUID("0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9")
		require.NoError(t, err)
		n.UUID = id
		if n.Bridge == nil {
			n.Bridge = &network.Bridge{}
		}
		n.Bridge.Name = "virbr0"
		if n.MAC == nil {
			n.MAC = &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 0, 0, byte(len(plans))}}
		}
		f, err := hosttest.New("eth0", "eth1").Facts(t.Context(), network.PlanScope(n))
		require.NoError(t, err)
		plan, err := network.Plan(n, f, nil)
		require.NoError(t, err, path)
		plans[filepath.Base(path)] = plan
	}
	return plans
}

// TestReplan makes every network of every other one: the host is then as if that had been started at once, the way back
// leads back, and nothing is done twice. What plans have in common is not touched.
func TestReplan(t *testing.T) {
	plans := planned(t)
	require.Greater(t, len(plans), 5)
	forwarding := func(m *hosttest.Machine) string { // is shared, and stays
		return strings.NewReplacer("forwarding ipv4\n", "", "forwarding ipv6\n", "").Replace(m.String())
	}
	for from, was := range plans {
		for to, next := range plans {
			t.Run(from+" "+to, func(t *testing.T) {
				changes := network.Replan(was, next)
				require.Equal(t, fmt.Sprint(changes), fmt.Sprint(network.Replan(was, next)), "the same plans make the same changes")
				if from == to {
					require.Empty(t, changes)
					return
				}
				m, fresh := hosttest.New("eth0", "eth1"), hosttest.New("eth0", "eth1")
				require.NoError(t, host.Apply(t.Context(), m, was))
				require.NoError(t, host.Apply(t.Context(), fresh, next))
				before := forwarding(m)
				var steps host.Plan
				for _, c := range changes {
					steps = append(steps, c.Step)
				}
				for _, step := range steps {
					both := func(s host.Step) bool { return reflect.DeepEqual(s.Op, step.Op) }
					_, route := step.Op.(host.AddRoute)
					require.False(t, !route && slices.ContainsFunc(was, both) && slices.ContainsFunc(next, both), "%s is done already", step.Op)
				}
				require.NoError(t, host.Apply(t.Context(), m, steps))
				require.Equal(t, forwarding(fresh), forwarding(m))
				require.NoError(t, host.Revert(t.Context(), m, steps))
				require.Equal(t, before, forwarding(m))
			})
		}
	}
}
