// SPDX-License-Identifier: Apache-2.0

//go:build unix

package trust

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

// A layout makes files and folders below one that is trusted, and returns the path that is to be judged.
type layout func(t *testing.T, at string) string

func folder(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	require.NoError(t, os.Mkdir(path, 0o700))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func file(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

// give gives a file to somebody, which takes root.
func give(t *testing.T, path string, uid, gid int) {
	t.Helper()
	testenv.NeedRoot(t)
	require.NoError(t, os.Lchown(path, uid, gid))
}

func TestFolder(t *testing.T) {
	const sticky = 0o777 | fs.ModeSticky
	for name, c := range map[string]struct {
		layout layout
		want   string // of the error; empty is none
	}{
		"ours":    {func(t *testing.T, at string) string { return folder(t, at+"/a", 0o755) }, ""},
		"missing": {func(_ *testing.T, at string) string { return at + "/a/b" }, "no such file"},
		"a file":  {func(t *testing.T, at string) string { return file(t, at+"/a", 0o600) }, "not a directory"},
		"everybody may write": {func(t *testing.T, at string) string { return folder(t, at+"/a", 0o777) },
			"/a: everybody may write to the folder (mode 0777)"},
		"everybody may write, and is sticky": {func(t *testing.T, at string) string { return folder(t, at+"/a", sticky) },
			"/a: everybody may write to the folder (mode 1777)"},
		"below one where everybody may write": {func(t *testing.T, at string) string {
			return folder(t, folder(t, at+"/a", 0o777)+"/b", 0o700)
		}, "/a: everybody may write to the folder (mode 0777)"},
		"below one as /tmp": {func(t *testing.T, at string) string { return folder(t, folder(t, at+"/a", sticky)+"/b", 0o700) }, ""},
		"a stranger's": {func(t *testing.T, at string) string {
			give(t, folder(t, at+"/a", 0o700), stranger, 0)
			return at + "/a"
		}, "/a: the folder belongs to user 4711"},
		"below a stranger's": {func(t *testing.T, at string) string {
			folder(t, folder(t, at+"/a", 0o700)+"/b", 0o700)
			give(t, at+"/a", stranger, 0)
			return at + "/a/b"
		}, "/a: the folder belongs to user 4711"},
		"a strange group may write": {func(t *testing.T, at string) string {
			give(t, folder(t, at+"/a", 0o700), -1, stranger)
			require.NoError(t, os.Chmod(at+"/a", 0o770))
			return at + "/a"
		}, "/a: group 4711 may write to the folder (mode 0770)"},
		"our group may write": {func(t *testing.T, at string) string {
			folder(t, at+"/a", 0o770)
			require.NoError(t, os.Chown(at+"/a", -1, os.Getegid()))
			return at + "/a"
		}, ""},
		"by our link": {func(t *testing.T, at string) string {
			folder(t, at+"/a", 0o700)
			folder(t, at+"/a/b", 0o700)
			require.NoError(t, os.Symlink("../"+filepath.Base(at)+"/a", at+"/l"))
			return at + "/l/b"
		}, ""},
		"by our link to what everybody may write to": {func(t *testing.T, at string) string {
			require.NoError(t, os.Symlink(folder(t, at+"/a", 0o777), at+"/l"))
			return at + "/l"
		}, "/a: everybody may write to the folder (mode 0777)"},
		"by a stranger's link in a folder as /tmp": {func(t *testing.T, at string) string {
			folder(t, at+"/tmp", sticky)
			require.NoError(t, os.Symlink(folder(t, at+"/a", 0o700), at+"/tmp/l"))
			give(t, at+"/tmp/l", stranger, stranger)
			return at + "/tmp/l"
		}, "/tmp/l: the symbolic link belongs to user 4711"},
		"a link to itself": {func(t *testing.T, at string) string {
			require.NoError(t, os.Symlink("l", at+"/l"))
			return at + "/l"
		}, "too many levels of symbolic links"},
	} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			path := c.layout(t, at)
			err := Folder(path)
			if c.want == "" {
				require.NoError(t, err)
				require.NoError(t, Make(path, 0o700))
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestMake: nothing is made below what is somebody else's.
func TestMake(t *testing.T) {
	at := t.TempDir()
	require.NoError(t, Make(at+"/a/b", 0o711))
	info, err := os.Stat(at + "/a")
	require.NoError(t, err)
	require.Equal(t, fs.ModeDir|0o711, info.Mode())
	folder(t, at+"/open", 0o777)
	require.ErrorIs(t, Make(at+"/open/b/c", 0o711), fs.ErrPermission)
	require.NoDirExists(t, at+"/open/b")
}

func TestReadFile(t *testing.T) {
	for name, c := range map[string]struct {
		layout layout
		want   string
	}{
		"ours":    {func(t *testing.T, at string) string { return file(t, at+"/f", 0o644) }, ""},
		"missing": {func(_ *testing.T, at string) string { return at + "/f" }, "no such file"},
		"a link": {func(t *testing.T, at string) string {
			require.NoError(t, os.Symlink(file(t, at+"/g", 0o600), at+"/f"))
			return at + "/f"
		}, "/f: a symbolic link is in its place"},
		"a pipe": {func(t *testing.T, at string) string {
			require.NoError(t, unix.Mkfifo(at+"/f", 0o600))
			return at + "/f"
		}, "/f: no regular file"},
		"a folder": {func(t *testing.T, at string) string { return folder(t, at+"/f", 0o700) }, "/f: no regular file"},
		"a stranger's": {func(t *testing.T, at string) string {
			give(t, file(t, at+"/f", 0o600), stranger, 0)
			return at + "/f"
		}, "/f: the file belongs to user 4711"},
		"everybody may write": {func(t *testing.T, at string) string { return file(t, at+"/f", 0o606) },
			"/f: others may write to the file (mode 0606)"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := ReadFile(c.layout(t, t.TempDir()))
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, "content", string(data))
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestCreate: what is in the place of a file is replaced and not written to.
func TestCreate(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, path, victim string){
		"nothing":  func(*testing.T, string, string) {},
		"one left": func(t *testing.T, path, _ string) { file(t, path, 0o666) },
		"a link":   func(t *testing.T, path, victim string) { require.NoError(t, os.Symlink(victim, path)) },
		"a name":   func(t *testing.T, path, victim string) { require.NoError(t, os.Link(victim, path)) },
		"a pipe":   func(t *testing.T, path, _ string) { require.NoError(t, unix.Mkfifo(path, 0o666)) },
	} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			victim := file(t, at+"/victim", 0o600)
			plant(t, at+"/f", victim)
			require.NoError(t, WriteFile(at+"/f", []byte("new"), 0o600))
			info, err := os.Lstat(at + "/f")
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), info.Mode())
			for path, want := range map[string]string{"/f": "new", "/victim": "content"} {
				data, err := os.ReadFile(at + path)
				require.NoError(t, err)
				require.Equal(t, want, string(data))
			}
		})
	}
}
