// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// checkFound checks that an error of reading or checking is violations, each with a place.
func checkFound(t *testing.T, err error) {
	if err == nil {
		return
	}
	var vs schema.Violations
	if !errors.As(err, &vs) || len(vs) == 0 {
		t.Fatalf("not violations: %v", err)
	}
	for _, v := range vs {
		if v.Line < 1 || v.Column < 1 || v.Rule == "" || v.Msg == "" || !strings.HasPrefix(v.Path, "/") {
			t.Fatalf("not whole: %+v", v)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range files(f, "valid/*.xml") {
		f.Add([]byte(text))
	}
	for _, text := range files(f, "rules/*.txt") {
		doc, _, _ := strings.Cut(text, defaultLine)
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, compat := range []bool{false, true} {
			n, err := network.Reader{Compat: compat}.Parse(bytes.NewReader(text))
			checkFound(t, err)
			if n == nil {
				continue
			}
			invalid := n.ValidateAs(schema.Rules{Compat: compat})
			checkFound(t, invalid)
			if err == nil && invalid == nil && !compat { // libvirt itself writes what it does not read
				checkNormal(t, n)
			}
		}
		_, err := network.Reader{Strict: true}.Parse(bytes.NewReader(text))
		checkFound(t, err)
		checkRoundTrip(t, string(text))
	})
}

// checkNormal checks that a document which breaks no rule breaks none when it has been normalized, written and read.
func checkNormal(t *testing.T, n *network.Network) {
	text := normalized(t, n, schema.Rules{})
	again, err := network.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := again.Validate(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if twice := normalized(t, again, schema.Rules{}); twice != text {
		t.Fatalf("%s\nthen\n%s", text, twice)
	}
}

func FuzzParsePort(f *testing.F) {
	for _, text := range files(f, "ports/*.xml") {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := network.ParsePort(bytes.NewReader(text))
		checkFound(t, err)
		if p == nil {
			return
		}
		checkFound(t, p.Validate())
		if err != nil {
			return
		}
		formatted, err := p.Format()
		if err != nil {
			t.Fatal(err)
		}
		again, err := network.ParsePort(bytes.NewReader(formatted))
		if err != nil {
			t.Fatalf("%v\n%s", err, formatted)
		}
		equal(t, "Format and Parse keep everything", p, again)
		marshaled, err := xml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var unmarshaled network.Port
		if err := xml.Unmarshal(marshaled, &unmarshaled); err != nil {
			t.Fatalf("%v\n%s", err, marshaled)
		}
		equal(t, "xml.Marshal and xml.Unmarshal keep everything", p, &unmarshaled)
	})
}
