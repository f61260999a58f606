// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/stretchr/testify/require"
)

// corpusVar names the folder of documents.
const corpusVar = "VIRTNET_CORPUS"

// A record is a document and what libvirt made of it.
type record struct {
	ID        string
	XML       string
	Accept    bool
	Canonical string
	Error     any // for people
}

// corpus returns the path of something in the folder of documents, or skips the test.
func corpus(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(corpusVar)
	if dir == "" {
		testenv.Skip(t, "%s names no folder of documents that libvirt has judged", corpusVar)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		testenv.Skip(t, "the folder of documents has no %s", name)
	}
	return path
}

// records reads a file of documents and verdicts.
func records(t testing.TB, name string) []record { return recorded[record](t, name) }

// recordsIn is records for any path.
func recordsIn(t testing.TB, path string) []record { return recordedIn[record](t, path) }

// recorded is records for any kind of them.
func recorded[T any](t testing.TB, name string) []T {
	t.Helper()
	return recordedIn[T](t, corpus(t, name))
}

// recordedIn reads a file with one JSON object a line.
func recordedIn[T any](t testing.TB, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var all []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var r T
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r), "%s, record %d", path, len(all)+1)
		all = append(all, r)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, all, path)
	return all
}
