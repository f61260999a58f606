// SPDX-License-Identifier: Apache-2.0

package laws

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
)

// together are networks that are started in one call.
var together = []string{
	`<network><name>one</name><forward/><ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.99'/></dhcp></ip></network>`,
	`<network><name>two</name><ip address='10.9.2.1' prefix='24'><dhcp><range start='10.9.2.2' end='10.9.2.99'/></dhcp></ip></network>`,
	`<network><name>three</name><forward mode='open'/><ip address='10.9.3.1' prefix='24'/><dns enable='no'/></network>`,
}

// RunMany tests the laws with networks that are started in one call: each runs as it was planned or leaves nothing, whatever
// fails and whenever the program is killed, and none keeps the others from it. Every is how many changes there are from
// one failure or kill that is tried to the next.
func RunMany(t *testing.T, open func(t *testing.T) World, every int) {
	var many many
	for _, text := range together {
		n, err := network.Parse(strings.NewReader(text))
		require.NoError(t, err)
		many.networks, many.names = append(many.networks, n), append(many.names, n.Name)
	}
	t.Run("atomic", func(t *testing.T) { many.atomic(t, open(t), every) })
	t.Run("crash", func(t *testing.T) { many.crash(t, open(t), every) })
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

// crash: killed after any number of changes, the next Open brings the host to nothing or all of each network.
func (m many) crash(t *testing.T, w World, every int) {
	before := w.Snapshot()
	for left := 0; ; left += every {
		store := m.define(t, w)
		f := &fuse{left: left}
		mortal, err := config().Open(context.Background(), mortalBackend{w.Backend, f}, mortalStore{store, f})
		if err == nil {
			err = mortal.StartMany(context.Background(), m.names...)
		}
		if f.blown() {
			require.ErrorIs(t, err, errDead, "killed after %d changes", left)
		} else {
			require.NoError(t, err)
		}
		stopped := m.stopAll(t, w, store)
		unchanged(t, w, before, "killed after some changes and opened again")
		forgotten(t, store)
		if !f.blown() {
			require.Empty(t, stopped)
			return
		}
	}
}
