// SPDX-License-Identifier: Apache-2.0

package vmtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// entries reads an archive back: mode, name and contents of each entry.
func entries(t *testing.T, b []byte) (all []string) {
	t.Helper()
	pad := func(n int) int { return (n + 3) &^ 3 }
	for at := 0; ; {
		header := string(b[at : at+110])
		require.Equal(t, "070701", header[:6])
		var fields []int
		for i := 6; i < 110; i += 8 {
			n, err := strconv.ParseUint(header[i:i+8], 16, 32)
			require.NoError(t, err)
			fields = append(fields, int(n))
		}
		mode, size, length := fields[1], fields[6], fields[11]
		name := string(b[at+110 : at+110+length-1])
		at = pad(at + 110 + length)
		contents := string(b[at : at+size])
		at = pad(at + size)
		if name == "TRAILER!!!" {
			require.Len(t, b, at)
			return all
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%o %s %s", mode, name, contents)))
	}
}

func TestArchive(t *testing.T) {
	from := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(from, "deep", "er"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(from, ".git"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(from, "deep", "odd"), []byte("three"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(from, ".git", "left out"), nil, 0o600))
	require.NoError(t, os.Symlink("odd", filepath.Join(from, "deep", "link")))

	var b bytes.Buffer
	a := NewArchive(&b)
	a.Dir("/a")
	a.Tree("/a/b", from, func(rel string) bool { return strings.HasPrefix(rel, ".") })
	a.File("/a/b/c/new", 0o644, "text")
	a.Copy("/copy", filepath.Join(from, "deep", "odd"))
	require.NoError(t, a.Close())
	require.Equal(t, []string{
		"40755 a", "40755 a/b", "40755 a/b/deep", "40755 a/b/deep/er", "120777 a/b/deep/link odd", "100750 a/b/deep/odd three",
		"40755 a/b/c", "100644 a/b/c/new text", "100750 copy three",
	}, entries(t, b.Bytes()))
}

func TestArchiveKeepsItsFirstError(t *testing.T) {
	a := NewArchive(&bytes.Buffer{})
	a.Copy("/x", filepath.Join(t.TempDir(), "missing"))
	a.File("/y", 0o644, "")
	require.ErrorIs(t, a.Close(), os.ErrNotExist)
}
