// SPDX-License-Identifier: Apache-2.0

package lossless

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
)

// A document is a text with where it is from, for people.
type document struct{ from, root, text string }

// read reads the document in the way chosen and returns a function that writes it; nil when it cannot be read as a
// whole.
func (d document) read(strict bool) (format func() ([]byte, error), err error) {
	text := strings.NewReader(d.text)
	switch d.root {
	case "network":
		n, err := network.Reader{Strict: strict}.Parse(text)
		if n != nil && err == nil {
			return n.Format, nil
		}
		return nil, err
	case "networkport":
		p, err := network.Reader{Strict: strict}.ParsePort(text)
		if p != nil && err == nil {
			return p.Format, nil
		}
		return nil, err
	case "interface":
		i, err := domainiface.Reader{Strict: strict}.Parse(text)
		if i != nil && err == nil {
			return i.Format, nil
		}
		return nil, err
	}
	return nil, errors.ErrUnsupported
}

// rootOf returns the name of the root element, "" when there is none.
func rootOf(text string) string {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		if err != nil {
			return ""
		}
		if start, ok := tok.(xml.StartElement); ok {
			return start.Name.Local
		}
	}
}

// inRepository returns all documents in testdata folders of the repository.
func inRepository(t testing.TB) []document {
	t.Helper()
	all := inFolder(t, "../..", func(path string) bool { return strings.Contains(path, "/testdata/") })
	require.Greater(t, len(all), 300)
	return all
}

// inFolder returns the documents in files of a folder whose paths are wanted.
func inFolder(t testing.TB, dir string, wanted func(path string) bool) []document {
	t.Helper()
	var all []document
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !wanted(path) {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		doc, _, _ := strings.Cut(string(text), "-- default --\n")
		switch root := rootOf(doc); root {
		case "network", "networkport", "interface":
			all = append(all, document{path, root, doc})
		case "domain":
			all = append(all, interfacesOf(path, text)...)
		}
		return nil
	}))
	return all
}

// interfacesOf returns the interfaces of a guest.
func interfacesOf(path string, text []byte) []document {
	var all []document
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		from := d.InputOffset()
		tok, err := d.Token()
		if err != nil {
			return all
		}
		if start, ok := tok.(xml.StartElement); ok && start.Name.Local == "interface" {
			if d.Skip() != nil {
				return all
			}
			all = append(all, document{fmt.Sprintf("%s, interface %d", path, len(all)+1), "interface", string(text[from:d.InputOffset()])})
		}
	}
}

// corpus returns all documents in the folder that VIRTNET_CORPUS names, or skips the test.
func corpus(t testing.TB) []document {
	t.Helper()
	dir := os.Getenv("VIRTNET_CORPUS")
	if dir == "" {
		testenv.Skip(t, "VIRTNET_CORPUS names no folder of documents")
	}
	all := inFolder(t, dir, func(path string) bool { return strings.HasSuffix(path, ".xml") })
	for _, name := range []string{"networks.jsonl", "interfaces.jsonl", "ports.jsonl"} {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		for lines := json.NewDecoder(f); ; {
			var line struct {
				ID, XML, Canonical, Network, Live string
				Ports                             []struct{ Request, Result string }
			}
			err := lines.Decode(&line)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, name)
			texts := []string{line.XML, line.Canonical, line.Network, line.Live}
			for _, p := range line.Ports {
				texts = append(texts, p.Request, p.Result)
			}
			for _, text := range texts {
				if text != "" {
					all = append(all, document{name + " " + line.ID, rootOf(text), text})
				}
			}
		}
		f.Close()
	}
	require.NotEmpty(t, all)
	return all
}
