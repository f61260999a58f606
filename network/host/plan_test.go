// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got))
}

// lab is a plan with a bridge, an address, and a tap that is there already.
func lab() host.Plan {
	return host.Plan{
		{From: "/network/bridge", Op: host.AddBridge{Link: "br0", MAC: mac1}},
		{From: "/network/ip[1]", Op: host.AddAddr{Link: "br0", Prefix: prefix("10.0.0.1/24")}},
		{From: "/network/bridge", Op: host.SetUp{Link: "br0"}},
		{From: "/network/bridge", Op: host.Plug{Link: "tap0", Bridge: "br0"}},
		{From: "/network/forward", Op: host.EnableForwarding{}},
	}
}

// machine is one with a tap.
func machine(t *testing.T) *hosttest.Machine {
	t.Helper()
	m := hosttest.New("eth0")
	require.NoError(t, m.Do(t.Context(), host.AddTap{Link: "tap0", MAC: mac2}))
	return m
}

func TestPlanString(t *testing.T) {
	require.Equal(t, `link add br0 address 52:54:00:ab:cd:ef type bridge stp_state off forward_delay 0  # /network/bridge
addr add 10.0.0.1/24 dev br0                                                      # /network/ip[1]
link set br0 up                                                                   # /network/bridge
link set tap0 master br0                                                          # /network/bridge
sysctl net/ipv4/ip_forward=1                                                      # /network/forward
`, lab().String())
	require.Empty(t, host.Plan{}.String())
}

func TestPlanInverse(t *testing.T) {
	require.Equal(t, `link set tap0 nomaster (was br0)  # /network/bridge
link del br0 type bridge          # /network/bridge
`, lab().Inverse().String(), "what ends with the bridge is left out, and so is what is shared")

	replaced := host.Plan{
		{Op: host.DelAddr{Link: "br0", Prefix: prefix("10.0.0.1/24")}},
		{Op: host.DelBridge{Link: "br0", MAC: mac1}},
		{Op: host.AddBridge{Link: "br0", MAC: mac2}},
		{Op: host.SetUp{Link: "br0"}},
	}
	require.Equal(t, host.Plan{
		{Op: host.DelBridge{Link: "br0", MAC: mac2}},
		{Op: host.AddBridge{Link: "br0", MAC: mac1}},
		{Op: host.AddAddr{Link: "br0", Prefix: prefix("10.0.0.1/24")}},
	}, replaced.Inverse(), "what was done to the old bridge is taken back")
}

func TestPlanScope(t *testing.T) {
	require.Equal(t, host.Scope{Links: []string{"br0", "tap0"}, Forwarding: true}, lab().Scope())
	require.Equal(t, host.Scope{}, host.Plan{}.Scope())
}

func TestMissing(t *testing.T) {
	m := machine(t)
	plan := lab()
	missing := func() host.Plan {
		f, err := m.Facts(t.Context(), plan.Scope())
		require.NoError(t, err)
		return plan.Missing(f)
	}
	require.Equal(t, plan, missing())
	require.NoError(t, host.Apply(t.Context(), m, plan))
	require.Empty(t, missing())
	require.NoError(t, m.Do(t.Context(), plan[1].Op.Inverse()))
	require.Equal(t, plan[1:2], missing(), "what has drifted")
}

func TestApplyAndRevert(t *testing.T) {
	m := machine(t)
	before := m.String()
	require.NoError(t, host.Apply(t.Context(), m, lab()))
	require.Equal(t, `link br0 type bridge mac 52:54:00:ab:cd:ef mtu 1500 up stp off delay 0
link eth0 type - mac 02:00:00:00:00:01 mtu 1500 up
link lo type - mac 00:00:00:00:00:00 mtu 65536
link tap0 type tap mac fe:54:00:00:00:02 mtu 1500 master br0
addr 10.0.0.1/24 dev br0
route 10.0.0.0/24 dev br0
forwarding ipv4
`, m.String())
	require.NoError(t, host.Revert(t.Context(), m, lab()))
	require.Equal(t, before+"forwarding ipv4\n", m.String(), "what is shared stays")
	require.NoError(t, host.Revert(t.Context(), m, lab()), "what is gone counts as taken back")
}

func TestApplyFails(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		plan  host.Plan
		fail  func(host.Op) error
		want  string
		is    []error
		dirty bool
	}{{
		name: "the machine is in the way",
		plan: append(lab(), host.Step{From: "/network/bridge", Op: lab()[0].Op}),
		want: "/network/bridge: link add br0 address 52:54:00:ab:cd:ef type bridge stp_state off forward_delay 0: link br0: file already exists",
		is:   []error{fs.ErrExist},
	}, {
		name: "a step makes no sense, and nothing is begun",
		plan: append(lab(), host.Step{From: "/network/ip[2]", Op: host.AddAddr{Link: "br0"}}),
		fail: func(host.Op) error { return broken },
		want: "/network/ip[2]: addr add invalid Prefix dev br0: address invalid Prefix of br0: invalid argument",
		is:   []error{fs.ErrInvalid},
	}, {
		name: "the machine breaks, also for what takes back",
		plan: lab(),
		fail: func(op host.Op) error {
			switch op.(type) {
			case host.Plug, host.DelBridge:
				return broken
			}
			return nil
		},
		want: "/network/bridge: link set tap0 master br0: broken (and taking back what was done: " +
			"/network/bridge: link del br0 type bridge: broken)",
		is:    []error{broken},
		dirty: true,
	}} {
		t.Run(c.name, func(t *testing.T) {
			m := machine(t)
			before := m.String()
			m.Fail = c.fail
			err := host.Apply(t.Context(), m, c.plan)
			require.EqualError(t, err, c.want)
			var stepError *host.StepError
			require.ErrorAs(t, err, &stepError)
			require.Equal(t, c.dirty, stepError.Undo != nil)
			for _, target := range c.is {
				require.ErrorIs(t, err, target)
			}
			if !c.dirty {
				require.Equal(t, before+forwarding(m), m.String())
			}
		})
	}
}

// forwarding is what a plan leaves of the forwarding it asked for before it failed.
func forwarding(m *hosttest.Machine) string {
	for _, op := range m.Log() {
		if op == (host.EnableForwarding{}) {
			return "forwarding ipv4\n"
		}
	}
	return ""
}

// TestApplyIsCanceled ends the context in the middle: what was done is taken back all the same.
func TestApplyIsCanceled(t *testing.T) {
	m := machine(t)
	before := m.String()
	ctx, cancel := context.WithCancel(t.Context())
	m.Fail = func(op host.Op) error {
		if _, ok := op.(host.SetUp); ok {
			cancel()
		}
		return nil
	}
	err := host.Apply(ctx, m, lab())
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "/network/bridge: link set tap0 master br0: context canceled")
	require.Equal(t, before, m.String())
}

func TestRevertGoesOn(t *testing.T) {
	m := machine(t)
	require.NoError(t, host.Apply(t.Context(), m, lab()))
	m.Fail = func(op host.Op) error {
		if _, ok := op.(host.Unplug); ok {
			return fs.ErrPermission
		}
		return nil
	}
	err := host.Revert(t.Context(), m, lab())
	require.EqualError(t, err, "/network/bridge: link set tap0 nomaster (was br0): permission denied")
	require.ErrorIs(t, err, fs.ErrPermission)
	f, err := m.Facts(t.Context(), host.Scope{Links: []string{"br0"}})
	require.NoError(t, err)
	require.Empty(t, f.Links, "the bridge is taken back all the same")
}

func TestPlanLost(t *testing.T) {
	bridge := host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 0, 1}}
	plan := host.Plan{{Op: bridge}, {Op: host.SetUp{Link: "br0"}}}
	there := host.Link{Name: "br0", Kind: host.Bridge, MAC: bridge.MAC, Up: true}
	changed, other := there, there
	changed.MTU, changed.STP = 1400, true
	other.MAC = host.MAC{2, 0, 0, 0, 0, 2}
	for _, c := range []struct {
		name  string
		links []host.Link
		want  string
	}{{"there", []host.Link{there}, ""}, {"changed", []host.Link{changed}, ""}, {"gone", nil, "br0"}, {"another", []host.Link{other}, "br0"}} {
		require.Equal(t, c.want, plan.Lost(&host.Facts{Links: c.links}), c.name)
	}
	require.Empty(t, plan[1:].Lost(&host.Facts{}), "it was not made here")
}

// A joining machine does two operations together, if it can do both.
type joining struct {
	*hosttest.Machine
	together int
}

func (j *joining) DoTogether(ctx context.Context, ops []host.Op) (int, error) {
	if len(ops) < 2 {
		return 0, nil
	}
	if err := j.DoAll(ctx, ops[:2]); err != nil {
		return 0, err
	}
	j.together++
	return 2, nil
}

// TestApplyTogether: what is done together is the same as one by one, and so is what cannot be done.
func TestApplyTogether(t *testing.T) {
	j := &joining{Machine: machine(t)}
	require.NoError(t, host.Apply(t.Context(), j, lab()))
	require.Equal(t, 2, j.together)
	alone := machine(t)
	require.NoError(t, host.Apply(t.Context(), alone, lab()))
	require.Equal(t, alone.String(), j.String())

	for i, step := range lab() {
		j := &joining{Machine: machine(t)}
		before := j.String()
		broken := errors.New("broken")
		j.Fail = func(op host.Op) error {
			if op == step.Op {
				return broken
			}
			return nil
		}
		err := host.Apply(t.Context(), j, lab())
		require.ErrorIs(t, err, broken)
		var failed *host.StepError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, step, failed.Step)
		require.Equal(t, before, j.String())
		require.Equal(t, i/2, j.together)
	}
}
