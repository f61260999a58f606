// SPDX-License-Identifier: Apache-2.0

package laws

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
)

// running defines the networks and starts them.
func (m many) running(t *testing.T, w World) network.Store {
	t.Helper()
	store := m.define(t, w)
	require.NoError(t, manager(t, w.Backend, store).StartMany(context.Background(), m.names...))
	return store
}

// stop: if one operation fails one network is not stopped whole, and the others are. It is when it is tried again.
func (m many) stop(t *testing.T, w World, every int) {
	before := w.Snapshot()
	for at := 0; ; at += every {
		store := m.running(t, w)
		failing := &failingBackend{Backend: w.Backend, at: -1}
		nets, err := alternating(failing, store, at)
		require.NoError(t, err)
		failing.n, failing.at = 0, at
		err = nets.StopMany(context.Background(), m.names...)
		if err != nil {
			var one *network.NetworkError
			require.ErrorAs(t, err, &one)
			require.ErrorIs(t, one, errInjected)
			// What they have in common is given back with the last, and all of them wait for that.
			if again := nets.StopMany(context.Background(), m.names...); again != nil {
				require.ErrorIs(t, again, network.ErrInactive)
				require.NotErrorIs(t, again, errInjected)
			}
		}
		require.Equal(t, m.names, m.stopAll(t, w, store), "failure of operation %d", at)
		unchanged(t, w, before, "started and stopped")
		forgotten(t, store)
		if err == nil {
			require.Greater(t, at, len(m.names), "no step failed")
			return
		}
	}
}
