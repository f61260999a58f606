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

// records reads a file of documents, one JSON object a line.
func records(t testing.TB, name string) []record {
	t.Helper()
	return recordsIn(t, corpus(t, name))
}

// recordsIn is records for any path.
func recordsIn(t testing.TB, path string) []record {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var all []record
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var r record
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r), "%s, record %d", path, len(all)+1)
		all = append(all, r)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, all, path)
	return all
}
