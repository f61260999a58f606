// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// stranger is a user that is neither root nor who runs the tests.
const stranger = 4711

// TestDirModes: what a store writes down is for its user alone, whatever the mask of the process is.
func TestDirModes(t *testing.T) {
	at := filepath.Join(t.TempDir(), "state")
	defer unix.Umask(unix.Umask(0))
	s := Dir(at)
	release, err := s.Lock(t.Context(), "a")
	require.NoError(t, err)
	release()
	for _, name := range []string{"networks/a", "run/networks/a"} {
		require.NoError(t, s.Save(t.Context(), name, []byte("one")))
	}
	files := 0
	require.NoError(t, filepath.WalkDir(at, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		} else {
			files++
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
	require.Equal(t, 3, files)
}

// TestDirOfOthers: a folder that another user could have made or changed is not used, for reading or for writing.
func TestDirOfOthers(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, at string){
		"everybody may write": func(t *testing.T, at string) { require.NoError(t, os.Chmod(at, 0o777)) },
		"everybody may write above it": func(t *testing.T, at string) {
			require.NoError(t, os.Chmod(filepath.Dir(at), 0o777))
		},
		"a stranger's": func(t *testing.T, at string) {
			testenv.NeedRoot(t)
			require.NoError(t, os.Chown(at, stranger, stranger))
		},
		"by a stranger's link": func(t *testing.T, at string) {
			testenv.NeedRoot(t)
			require.NoError(t, os.Rename(at, at+".real"))
			require.NoError(t, os.Symlink(at+".real", at))
			require.NoError(t, os.Lchown(at, stranger, stranger))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			at := filepath.Join(root, "above", "state")
			require.NoError(t, Dir(at).Save(t.Context(), "networks/a", []byte("one")))
			require.NoError(t, Dir(at).Save(t.Context(), "run/networks/a", []byte("one")))
			spoil(t, at)
			before := tree(t, root)
			for _, s := range []Store{Dir(at), Dirs(at, t.TempDir()), Dirs(t.TempDir(), filepath.Join(at, "run"))} {
				errs := tryAll(t, s)
				require.NotEmpty(t, errs)
				for _, err := range errs {
					require.ErrorIs(t, err, fs.ErrPermission)
				}
			}
			require.Equal(t, before, tree(t, root), "nothing has been made, and nothing removed")
		})
	}
}

// tryAll does all that a store can with something of each folder, and returns what went wrong.
func tryAll(t *testing.T, s Store) (errs []error) {
	t.Helper()
	try := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	for _, folder := range []string{"networks", "run/networks"} {
		_, err := s.Load(t.Context(), folder+"/a")
		if !os.IsNotExist(err) {
			try(err)
		}
		_, err = s.List(t.Context(), folder)
		try(err)
		try(s.Save(t.Context(), folder+"/b", nil))
		try(s.Remove(t.Context(), folder+"/b"))
	}
	release, err := s.Lock(t.Context(), "a")
	if try(err); err == nil {
		release()
	}
	return errs
}

// tree are the files and folders below a folder.
func tree(t *testing.T, at string) (list []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(at, func(path string, _ fs.DirEntry, err error) error {
		list = append(list, path)
		return err
	}))
	return list
}

// TestDirPlanted: what lies in the place of a record is not read if it is not one that this user wrote, and what is written
// takes its place without touching what it leads to.
func TestDirPlanted(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, path, victim string){
		"a link": func(t *testing.T, path, victim string) { require.NoError(t, os.Symlink(victim, path)) },
		"a pipe": func(t *testing.T, path, _ string) { require.NoError(t, unix.Mkfifo(path, 0o600)) },
		"a stranger's file": func(t *testing.T, path, _ string) {
			testenv.NeedRoot(t)
			require.NoError(t, os.WriteFile(path, []byte(`{}`), 0o600))
			require.NoError(t, os.Chown(path, stranger, stranger))
		},
		"a file that everybody may write": func(t *testing.T, path, _ string) {
			require.NoError(t, os.WriteFile(path, []byte(`{}`), 0o600))
			require.NoError(t, os.Chmod(path, 0o666))
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			victim := filepath.Join(t.TempDir(), "victim")
			require.NoError(t, os.WriteFile(victim, []byte(`{"instance":"x"}`), 0o600))
			s := Dir(at)
			for _, record := range []string{"networks/a", "run/networks/a"} {
				require.NoError(t, s.Save(t.Context(), record, []byte("one")))
				require.NoError(t, s.Remove(t.Context(), record))
				plant(t, filepath.Join(at, record), victim)
				_, err := s.Load(t.Context(), record)
				require.ErrorIs(t, err, fs.ErrPermission)
				require.ErrorContains(t, err, record)
				require.NoError(t, s.Save(t.Context(), record, []byte("two")))
				data, err := s.Load(t.Context(), record)
				require.NoError(t, err)
				require.Equal(t, "two", string(data))
			}
			kept, err := os.ReadFile(victim)
			require.NoError(t, err)
			require.Equal(t, `{"instance":"x"}`, string(kept))
		})
	}
}

// TestDirPlantedLock: a link in the place of the file with the locks is not followed.
func TestDirPlantedLock(t *testing.T) {
	at := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.Symlink(victim, filepath.Join(at, lockFile)))
	_, err := Dir(at).Lock(t.Context(), "a")
	require.ErrorContains(t, err, lockFile)
	require.NoFileExists(t, victim)
}
