// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDirIsSwept: files that nobody writes any more go away, those that somebody writes stay.
func TestDirIsSwept(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, Dir(folder).Save(t.Context(), "run/networks/a", []byte("one")))
	require.NoError(t, Dir(folder).Save(t.Context(), "leases/a", []byte("one")))
	for _, sub := range []string{"run", "run/networks", "leases"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, sub, ".new-123"), []byte("half"), 0o600))
	}
	f, err := newTemporary(filepath.Join(folder, "run", "networks"))
	require.NoError(t, err)
	names, err := Dir(folder).List(t.Context(), "run/networks")
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, names)
	var left []string
	for _, pattern := range []string{"*/.new-*", "*/*/.new-*"} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		require.NoError(t, err)
		left = append(left, found...)
	}
	require.Equal(t, []string{f.Name()}, left)
	require.NoError(t, f.Close())
}

// TestDirIsSweptUnderWriters sweeps as fast as it can while others write.
func TestDirIsSweptUnderWriters(t *testing.T) {
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var writers, sweeper sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			s := Dir(folder)
			for round := range 500 {
				if err := s.Save(t.Context(), fmt.Sprintf("run/networks/%d", i), fmt.Append(nil, round)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	sweeper.Go(func() {
		for ctx.Err() == nil {
			if _, err := Dir(folder).List(t.Context(), "run/networks"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	writers.Wait()
	cancel()
	sweeper.Wait()
	for i := range 4 {
		data, err := Dir(folder).Load(t.Context(), fmt.Sprintf("run/networks/%d", i))
		require.NoError(t, err)
		require.Equal(t, "499", string(data))
	}
}
