// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
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
