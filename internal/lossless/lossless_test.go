// SPDX-License-Identifier: Apache-2.0

package lossless

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/schema"
)

func TestRepository(t *testing.T) { checkAll(t, "repository", inRepository(t)) }

func TestCorpus(t *testing.T) { checkAll(t, "corpus", corpus(t)) }

// checkAll checks all documents, and prints how many there are.
func checkAll(t *testing.T, name string, all []document) {
	read, kept := 0, 0
	for _, doc := range all {
		switch whole, lost := check(t, doc); {
		case !whole:
		case len(lost) > 0:
			read++
			t.Errorf("%s:\n%s\nof\n%s", doc.from, strings.Join(lost, "\n"), doc.text)
		default:
			read++
			kept++
		}
	}
	require.NotZero(t, read)
	t.Logf("lossless %s: %d documents, %d can be read, %d are kept", name, len(all), read, kept)
}

// check reads and writes a document, and again what was written. It returns what was lost; whole is false if it cannot
// be read.
func check(t *testing.T, doc document) (whole bool, lost []string) {
	t.Helper()
	format, err := doc.read(false)
	if err != nil {
		return false, nil
	}
	once, err := format()
	require.NoError(t, err)
	format, err = document{doc.from, doc.root, string(once)}.read(false)
	require.NoError(t, err, "%s:\n%s", doc.from, once)
	twice, err := format()
	require.NoError(t, err)
	if !bytes.Equal(once, twice) {
		lost = append(lost, fmt.Sprintf("written twice it is\n%s\nand not\n%s", twice, once))
	}
	treeOf(t, doc.text).lost(treeOf(t, string(once)), "", &lost)
	return true, lost
}

// unknown is what is put into every element of every document: attributes, elements and words that nobody knows.
const (
	unknownAttrs = ` zz-one='1' zz:two='&amp; &lt; &apos;' xmlns:zz='urn:zz'`
	unknownEmpty = `<zz-three a='1'/><zz:five xmlns:zz='urn:zz' zz:b='2'><nine/></zz:five>` // where text is a number
	unknownNodes = `<zz-three a='1'/>zz four<zz:five xmlns:zz='urn:zz' zz:b='2'>six <seven>eight</seven> <nine/> ten</zz:five><zz-three xmlns='urn:other'><b/><a/></zz-three>`
)

// TestUnknownContentAnywhere puts unknown content into each element of each document, and wants it back, and refused
// with its line in strict mode.
func TestUnknownContentAnywhere(t *testing.T) {
	places := 0
	for _, doc := range inRepository(t) {
		if _, err := doc.read(true); err != nil || strings.Contains(doc.text, "<!DOCTYPE") {
			continue
		}
		for _, at := range placesIn(doc.text) {
			places++
			with := document{fmt.Sprintf("%s with unknown content in <%s>", doc.from, at.name), doc.root, at.put(doc.text)}
			whole, lost := check(t, with)
			require.True(t, whole, "%s:\n%s", with.from, with.text)
			if len(lost) > 0 {
				t.Errorf("%s:\n%s\nof\n%s", with.from, strings.Join(lost, "\n"), with.text)
			}
			_, err := with.read(true)
			if at.opaque {
				continue
			}
			var vs schema.Violations
			require.ErrorAs(t, err, &vs, "%s:\n%s", with.from, with.text)
			for _, v := range vs {
				require.Equal(t, at.line, v.Line, "%s: %s\n%s", with.from, v, with.text)
				require.NotZero(t, v.Column)
			}
			require.GreaterOrEqual(t, len(vs), 4, "%s: %s", with.from, err)
		}
	}
	require.Greater(t, places, 1000)
	t.Logf("unknown content in %d places of documents", places)
}

// A place is where unknown content can be put.
type place struct {
	name   string
	tag    int64 // the end of the element's name in its start tag
	inside int64 // the beginning of its content
	empty  bool  // the start tag is the end tag too
	line   int   // of the start tag's end
	opaque bool  // unknown content is what the element is for
}

// placesIn returns the start tags of the known elements of a document.
func placesIn(text string) []place {
	var all []place
	opaque := 0
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		from := d.InputOffset()
		tok, err := d.RawToken()
		if err != nil {
			return all
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			name := tok.Name.Local
			if tok.Name.Space != "" {
				name = tok.Name.Space + ":" + name
			}
			inside := d.InputOffset()
			tag := text[from:inside]
			if opaque > 0 || name == "metadata" || name == "portForward" || name == "privateData" || name == "address" {
				opaque++
			}
			if opaque <= 1 && !strings.Contains(tag, "\n") {
				all = append(all, place{name, from + int64(len("<"+name)), inside, strings.HasSuffix(tag, "/>"),
					1 + strings.Count(text[:inside], "\n"), opaque > 0})
			}
		case xml.EndElement:
			if opaque > 0 {
				opaque--
			}
		}
	}
}

// put returns the text with unknown content in the place.
func (p place) put(text string) string {
	head, tag, rest := text[:p.tag], text[p.tag:p.inside], text[p.inside:]
	if p.name == "uuid" || p.name == "sndbuf" {
		return head + unknownAttrs + tag + unknownEmpty + rest
	}
	if p.empty {
		return head + unknownAttrs + strings.TrimSuffix(tag, "/>") + ">" + unknownNodes + "</" + p.name + ">" + rest
	}
	return head + unknownAttrs + tag + unknownNodes + rest
}
