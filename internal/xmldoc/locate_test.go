// SPDX-License-Identifier: Apache-2.0

package xmldoc_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"testing"

	"github.com/go-virtnet/virtnet/internal/xmldoc"
)

// elements returns the paths and places of all elements below the root, as encoding/xml finds them.
func elements(text []byte) (paths []string, places []xmldoc.Place) {
	d := xml.NewDecoder(bytes.NewReader(text))
	open := []string{""}
	seen := []map[string]int{{}}
	for {
		line, column := d.InputPos()
		tok, err := d.RawToken()
		if err != nil {
			return paths, places
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			name := tok.Name.Local
			if tok.Name.Space != "" {
				name = ":" + name
			}
			top := len(open) - 1
			seen[top][name]++
			path := fmt.Sprintf("%s/%s[%d]", open[top], name, seen[top][name])
			paths = append(paths, path)
			places = append(places, xmldoc.Place{Line: line, Column: column})
			open = append(open, path)
			seen = append(seen, map[string]int{})
		case xml.EndElement:
			open = open[:len(open)-1]
			seen = seen[:len(seen)-1]
		}
	}
}

// FuzzLocate checks that Locate finds every element of a document where encoding/xml does.
func FuzzLocate(f *testing.F) {
	f.Add([]byte("<doc><a/>\n<!-- <b> --><a b='>' c=\"'/>\"/>\r\n<![CDATA[<a>]]><t:a xmlns:t='u'\n/><a\t></a ></doc>"))
	f.Add([]byte("<?xml version='1.0'?><!DOCTYPE doc [<!ELEMENT a (b)> <!-- > -->]><doc><?p <a>?><a><a/></a></doc>"))
	f.Add([]byte("<doc><a><a><b/></a></a></doc"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := xmldoc.Read(bytes.NewReader(text), "doc", new(doc), xmldoc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !got.Complete {
			xmldoc.Locate(text, []string{"/doc/a", "/doc/b[2]/c/@d"})
			return
		}
		paths, places := elements(text)
		for i, at := range xmldoc.Locate(text, paths) {
			if at != places[i] {
				t.Fatalf("%s is at %v, not %v", paths[i], places[i], at)
			}
		}
	})
}
