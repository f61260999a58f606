// SPDX-License-Identifier: Apache-2.0

package laws

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// Adopt tests what holds for every network that is taken over from libvirt: that planning changes nothing, that the network
// then is as if it had been started, and that one whose takeover fails or is killed at any point is libvirt's or ours. Open
// gives a host on which libvirt runs the network; it is called for each attempt.
func Adopt(t *testing.T, open func(t *testing.T) World, req network.AdoptRequest) {
	t.Run("settled", func(t *testing.T) { settled(t, open(t), req) })
	t.Run("atomic", func(t *testing.T) {
		for at := 0; failAdopting(t, open(t), req, at); at++ {
			require.Less(t, at, 1000)
		}
	})
	t.Run("crash", func(t *testing.T) {
		outcomes := map[bool]int{}
		for left := 0; ; left += stride() {
			ours, killed := killAdopting(t, open(t), req, left)
			if !killed {
				break
			}
			outcomes[ours]++
		}
		require.Len(t, outcomes, 2, "libvirt's or ours: %v", outcomes)
	})
}

// settled: the plan changes nothing, and what was taken over is as if it had been started, and can be stopped.
func settled(t *testing.T, w World, req network.AdoptRequest) {
	ctx, store := context.Background(), network.Memory()
	nets := manager(t, w.Backend, store)
	before := w.Snapshot()
	plan, err := nets.PlanAdopt(ctx, req)
	require.NoError(t, err)
	unchanged(t, w, before, "after planning")
	forgotten(t, store)

	done, err := nets.Adopt(ctx, req)
	require.NoError(t, err)
	require.Equal(t, plan.Plan.String(), done.Plan.String(), "something else was done than planned")
	adopted(t, w, nets, req, plan)
	_, err = nets.Adopt(ctx, req)
	require.ErrorIs(t, err, network.ErrActive)
	require.NoError(t, nets.Stop(ctx, req.Name))
	forgotten(t, store)
	f, err := w.Backend.Facts(ctx, host.Scope{Links: []string{plan.Network.Bridge.Name}})
	require.NoError(t, err)
	require.Empty(t, f.Links, "the bridge is there after it was stopped")
}

// adopted fails the test if a network is not ours alone.
func adopted(t *testing.T, w World, nets *network.Manager, req network.AdoptRequest, plan *network.Adoption) {
	t.Helper()
	ctx := context.Background()
	status, err := nets.Lookup(ctx, req.Name)
	require.NoError(t, err)
	require.True(t, status.Active())
	require.Equal(t, plan.Definition != nil, status.Persistent())
	require.Equal(t, plan.Autostart, status.Autostart)
	drift, err := nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, drift, "something of it is not as it was written down")
	f, err := w.Backend.Facts(ctx, host.Scope{Libvirt: true})
	require.NoError(t, err)
	require.Nil(t, f.Libvirt.Network(req.Name), "libvirt knows it")
	require.Nil(t, f.Libvirt.Server(req.Name), "libvirt serves it")
	for _, step := range plan.After {
		require.True(t, step.Op.Holds(f), "not done: %s", step.Op)
	}
	links := map[string]bool{}
	for port, err := range nets.Ports(ctx, req.Name) {
		require.NoError(t, err)
		links[port.Link] = true
	}
	require.Len(t, links, len(plan.Ports))
	for _, p := range plan.Ports {
		require.True(t, links[p.Link], "no port of %s", p.Link)
	}
}

// failAdopting fails one operation of a takeover: then libvirt has the network as it had it before. It reports whether there
// was that operation.
func failAdopting(t *testing.T, w World, req network.AdoptRequest, at int) bool {
	ctx, store := context.Background(), network.Memory()
	failing := &failingBackend{Backend: w.Backend, at: at}
	nets := manager(t, failing, store)
	plan, err := nets.PlanAdopt(ctx, req)
	require.NoError(t, err)
	before := w.Snapshot()
	done, err := nets.Adopt(ctx, req)
	if err == nil {
		require.Equal(t, at, len(plan.Plan)+len(plan.After))
		return false
	}
	require.ErrorIs(t, err, errInjected)
	if at >= len(plan.Plan) {
		require.NotNil(t, done, "the network is ours all the same")
		status, err := nets.Lookup(ctx, req.Name)
		require.NoError(t, err)
		require.True(t, status.Active())
		return true
	}
	var step *host.StepError
	require.ErrorAs(t, err, &step)
	require.NoError(t, step.Undo)
	unchanged(t, w, before, "after a failure of "+step.Step.Op.String())
	forgotten(t, store)
	for port, err := range nets.Ports(ctx, req.Name) {
		t.Fatalf("a port is left: %v, %v", port, err)
	}
	_, err = nets.Adopt(ctx, req)
	require.NoError(t, err, "after a failure of %s", step.Step.Op)
	adopted(t, w, nets, req, plan)
	return true
}

// killAdopting kills a takeover after so many changes: the next Open finds libvirt's network as it was, or ours. It reports
// which of them, and whether there were so many changes.
func killAdopting(t *testing.T, w World, req network.AdoptRequest, left int) (ours, killed bool) {
	ctx, store := context.Background(), network.Memory()
	plan, err := manager(t, w.Backend, network.Memory()).PlanAdopt(ctx, req)
	require.NoError(t, err)
	before := w.Snapshot()
	f := &fuse{left: left}
	mortal, err := network.Config{Rand: chance()}.Open(ctx, mortalBackend{w.Backend, f}, mortalStore{store, f})
	if err == nil {
		_, err = mortal.Adopt(ctx, req)
	}
	if !f.blown() {
		require.NoError(t, err)
		return true, false
	}
	require.ErrorIs(t, err, errDead, "killed after %d changes", left)
	nets := manager(t, w.Backend, store)
	status, err := nets.Lookup(ctx, req.Name)
	if err == nil && status.Active() {
		adopted(t, w, nets, req, plan)
		return true, true
	}
	unchanged(t, w, before, "killed after some changes and opened again")
	forgotten(t, store)
	_, err = nets.Adopt(ctx, req)
	require.NoError(t, err, "killed after %d changes", left)
	adopted(t, w, nets, req, plan)
	return false, true
}
