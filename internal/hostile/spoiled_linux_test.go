// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
)

// TestStateFilesSpoiled cuts off the file of a network that runs: the next program makes it anew, from the definition and what
// bears its mark. The guest keeps its device and its address, the server is the one that it was, and the other network has nothing to
// do with it.
func TestStateFilesSpoiled(t *testing.T) {
	for _, file := range []string{"run/networks/lan", "run/host"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			h := newHouse(t)
			h.start()
			h.attach("lan", "guest")
			had := h.lease("guest")
			seen, programs := h.host.Snapshot(t), h.host.Programs(t)
			path := filepath.Join(h.state, file)
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(path, info.Size()/2))
			h.open()
			h.whole()
			h.host.Unchanged(t, seen, "with a record made anew")
			require.Equal(t, programs, h.host.Programs(t))
			require.Equal(t, had, h.lease("guest"))
			require.NoError(t, h.nets.Stop(t.Context(), "lan"))
			require.NoError(t, h.nets.Start(t.Context(), "lan"))
			require.Equal(t, had, h.lease("guest"))
			h.leave()
		})
	}
}

// TestPortFileSpoiled cuts off the file of a guest: that is said to whoever opens the state, the guest goes on, and all others can be
// worked with. What the guest asked for is written down nowhere else, so its file is for people to put back.
func TestPortFileSpoiled(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.attach("lan", "guest")
	had := h.lease("guest")
	files, err := filepath.Glob(filepath.Join(h.state, "run/ports/lan~*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	good, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.NoError(t, os.Truncate(files[0], 100))
	h.nets, err = network.Open(t.Context(), h.backend, network.Dir(h.state))
	require.ErrorContains(t, err, "store: run/ports/"+filepath.Base(files[0])+": it has been cut off")
	require.Equal(t, had, h.lease("guest"))
	for _, name := range []string{"lan", "other"} {
		p := h.attach(name, "second")
		h.lease("second")
		require.NoError(t, p.Detach(t.Context()))
	}
	require.NoError(t, os.WriteFile(files[0], good, 0o600))
	h.open()
	h.whole()
	h.leave()
}
