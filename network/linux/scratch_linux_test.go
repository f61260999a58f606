// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestProbesLeaveNoThreadElsewhere probes what the kernel can do from many goroutines, so that the first thread of the
// process, which stands for it, is among those that made namespaces for it.
func TestProbesLeaveNoThreadElsewhere(t *testing.T) {
	testenv.NeedRoot(t)
	home, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			b, err := linux.Open(linux.Config{RunDir: t.TempDir()})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := b.Facts(t.Context(), host.Scope{Shaping: true}); err != nil {
				t.Error(err)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	now, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	require.Equal(t, home, now)
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	require.NoError(t, err)
	for _, thread := range threads {
		if there, err := os.Readlink(thread); err == nil {
			require.Equal(t, home, there, thread)
		}
	}
}
