// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func stores(t *testing.T) map[string]Store {
	return map[string]Store{
		"memory": Memory(),
		"dir":    Dir(filepath.Join(t.TempDir(), "state")),
		"dirs":   Dirs(filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "run", "state")),
	}
}

func TestStoreKeepsWhatIsSaved(t *testing.T) {
	for kind, s := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			ctx := t.Context()
			_, err := s.Load(ctx, "networks/a")
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.NoError(t, s.Remove(ctx, "networks/a"))

			data := []byte("one")
			require.NoError(t, s.Save(ctx, "networks/a", data))
			data[0] = 'X'
			require.NoError(t, s.Save(ctx, "networks/b", []byte("two")))
			require.NoError(t, s.Save(ctx, "run/networks/c", []byte("three")))
			require.NoError(t, s.Save(ctx, "networks/a", []byte("four")))

			got, err := s.Load(ctx, "networks/a")
			require.NoError(t, err)
			require.Equal(t, "four", string(got))
			names, err := s.List(ctx, "networks")
			require.NoError(t, err)
			require.Equal(t, []string{"a", "b"}, names)
			names, err = s.List(ctx, "run/networks")
			require.NoError(t, err)
			require.Equal(t, []string{"c"}, names)
			names, err = s.List(ctx, "nothing")
			require.NoError(t, err)
			require.Empty(t, names)

			require.NoError(t, s.Remove(ctx, "networks/a"))
			_, err = s.Load(ctx, "networks/a")
			require.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}

func TestStoreRefusesNames(t *testing.T) {
	bad := []string{"", "/", "a/", "/a", "a//b", "..", "a/../b", ".hidden", "a b", "a\nb", "a\x00", "ä", strings.Repeat("x", 101)}
	for kind, s := range stores(t) {
		for _, name := range bad {
			_, err := s.Load(t.Context(), name)
			require.ErrorIs(t, err, fs.ErrInvalid, "%s load %q", kind, name)
			require.ErrorIs(t, s.Save(t.Context(), name, nil), fs.ErrInvalid, "%s save %q", kind, name)
			require.ErrorIs(t, s.Remove(t.Context(), name), fs.ErrInvalid, "%s remove %q", kind, name)
			_, err = s.Lock(t.Context(), name)
			require.ErrorIs(t, err, fs.ErrInvalid, "%s lock %q", kind, name)
		}
	}
}

func TestStoreKeyIsAlwaysAName(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"default", "~x", ".", "..", "a/b", "a b", "x\ny", "%d", "-r", "", strings.Repeat("n", 60), strings.Repeat("n", 61), "ü"} {
		key := storeKey(name)
		require.NoError(t, checkStoreName(key), "%q", name)
		require.Empty(t, seen[key], "%q", name)
		seen[key] = name + "!"
	}
	require.Equal(t, "default", storeKey("default"))
}

func TestStoreLockExcludes(t *testing.T) {
	folder := t.TempDir()
	for kind, pair := range map[string][2]Store{
		"memory": func() [2]Store { m := Memory(); return [2]Store{m, m} }(),
		// Two stores on one folder share nothing in memory, as two processes would.
		"dir": {Dir(folder), Dir(folder)},
	} {
		t.Run(kind, func(t *testing.T) {
			var wg sync.WaitGroup
			var inside, total atomic.Int32
			for i := range 20 {
				wg.Go(func() {
					release, err := pair[i%2].Lock(context.Background(), "networks/a")
					if err != nil {
						t.Error(err)
						return
					}
					if n := inside.Add(1); n != 1 {
						t.Errorf("%d inside", n)
					}
					total.Add(1)
					inside.Add(-1)
					release()
					release()
				})
			}
			wg.Wait()
			require.EqualValues(t, 20, total.Load())
		})
	}
}

func TestStoreLockCanBeGivenUp(t *testing.T) {
	folder := t.TempDir()
	for kind, pair := range map[string][2]Store{
		"memory": func() [2]Store { m := Memory(); return [2]Store{m, m} }(),
		"dir":    {Dir(folder), Dir(folder)},
	} {
		release, err := pair[0].Lock(t.Context(), "networks/a")
		require.NoError(t, err, kind)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err = pair[1].Lock(ctx, "networks/a")
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, kind)
		other, err := pair[1].Lock(t.Context(), "networks/b")
		require.NoError(t, err, kind)
		other()
		release()
		release, err = pair[1].Lock(t.Context(), "networks/a")
		require.NoError(t, err, kind)
		release()
	}
}

func TestDirLeavesNothingHalfWritten(t *testing.T) {
	folder := t.TempDir()
	s := Dir(folder)
	require.NoError(t, s.Save(t.Context(), "networks/a", []byte("old")))
	// A folder where the file should be makes the rename fail.
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "networks", "b", "x"), 0o700))
	err := s.Save(t.Context(), "networks/b", []byte("new"))
	require.Error(t, err)
	require.False(t, errors.Is(err, fs.ErrInvalid))
	entries, err := os.ReadDir(filepath.Join(folder, "networks"))
	require.NoError(t, err)
	require.Len(t, entries, 2, "a temporary file was left")
	info, err := os.Stat(filepath.Join(folder, "networks", "a"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}
