// SPDX-License-Identifier: Apache-2.0

package laws

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// together are networks that are started in one call.
var together = []string{
	`<network><name>one</name><forward/><ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.99'/></dhcp></ip></network>`,
	`<network><name>two</name><ip address='10.9.2.1' prefix='24'><dhcp><range start='10.9.2.2' end='10.9.2.99'/></dhcp></ip></network>`,
	`<network><name>three</name><forward mode='open'/><ip address='10.9.3.1' prefix='24'/><dns enable='no'/></network>`,
}

// RunMany tests the laws with networks that are started in one call, and stopped in one: each runs as it was planned or leaves
// nothing, whatever fails and whenever the program is killed, and none keeps the others from it. Every is how many changes there are from
// one failure or kill that is tried to the next.
func RunMany(t *testing.T, open func(t *testing.T) World, every int) {
	var many many
	for _, text := range together {
		n, err := network.Parse(strings.NewReader(text))
		require.NoError(t, err)
		many.networks, many.names = append(many.networks, n), append(many.names, n.Name)
	}
	t.Run("atomic", func(t *testing.T) { many.atomic(t, open(t), every) })
	t.Run("crash", func(t *testing.T) {
		start := func(nets *network.Manager) error { return nets.StartMany(context.Background(), many.names...) }
		many.crash(t, open(t), every, many.define, start, nil)
	})
	t.Run("stop", func(t *testing.T) { many.stop(t, open(t), every) })
	t.Run("stop and crash", func(t *testing.T) {
		stop := func(nets *network.Manager) error { return nets.StopMany(context.Background(), many.names...) }
		many.crash(t, open(t), every, many.running, stop, many.names)
	})
}

type many struct {
	networks []*network.Network
	names    []string
}

func (m many) define(t *testing.T, w World) network.Store {
	t.Helper()
	store := network.Memory()
	nets := manager(t, w.Backend, store)
	for _, n := range m.networks {
		require.NoError(t, nets.Define(context.Background(), n))
	}
	return store
}

// stopAll stops what runs, each of which has to run as it was planned, and returns the others.
func (m many) stopAll(t *testing.T, w World, store network.Store) (others []string) {
	t.Helper()
	nets := manager(t, w.Backend, store)
	for _, name := range m.names {
		status, err := nets.Lookup(context.Background(), name)
		require.NoError(t, err)
		if !status.Active() {
			others = append(others, name)
			continue
		}
		drift, err := nets.Plan(context.Background(), name)
		require.NoError(t, err)
		require.Empty(t, drift, "%s runs in part", name)
		require.NoError(t, nets.Stop(context.Background(), name))
	}
	return others
}

// atomic: if one operation fails one network leaves nothing, and the others run.
func (m many) atomic(t *testing.T, w World, every int) {
	before := w.Snapshot()
	for at := 0; ; at += every {
		store := m.define(t, w)
		err := manager(t, &failingBackend{Backend: w.Backend, at: at}, store).StartMany(context.Background(), m.names...)
		failed := m.stopAll(t, w, store)
		unchanged(t, w, before, "started and stopped")
		forgotten(t, store)
		if err == nil {
			require.Empty(t, failed)
			require.Greater(t, at, len(m.names), "no step failed")
			return
		}
		var one *network.NetworkError
		require.ErrorAs(t, err, &one)
		require.ErrorIs(t, one, errInjected)
		require.Equal(t, []string{one.Network}, failed, "failure of operation %d", at)
	}
}

// alternating opens a manager that takes back for good one time, and the next time leaves devices to be removed behind.
func alternating(b host.Backend, s network.Store, time int) (*network.Manager, error) {
	c := config()
	c.Discard = time%2 == 1
	return c.Open(context.Background(), b, s)
}

// crash: killed after any number of changes that something makes, the next Open brings the host to nothing or all of each
// network. Stopped are the networks that do not run if it is not killed.
func (m many) crash(t *testing.T, w World, every int, begin func(*testing.T, World) network.Store, do func(*network.Manager) error, stopped []string) {
	before := w.Snapshot()
	for left := 0; ; left += every {
		store := begin(t, w)
		f := &fuse{left: left}
		mortal, err := alternating(mortalBackend{w.Backend, f}, mortalStore{store, f}, left)
		if err == nil {
			err = do(mortal)
		}
		if f.blown() {
			require.ErrorIs(t, err, errDead, "killed after %d changes", left)
		} else {
			require.NoError(t, err)
		}
		others := m.stopAll(t, w, store)
		unchanged(t, w, before, "killed after some changes and opened again")
		forgotten(t, store)
		if !f.blown() {
			require.Equal(t, stopped, others)
			return
		}
	}
}
