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
	for _, text := range definitions {
		f.Add([]byte(text))
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
		checkAliases(t, text)
		checkRoundTrip(t, string(text))
	})
}

// checkAliases checks that what a reader of aliases reads is written without.
func checkAliases(t *testing.T, text []byte) {
	all, err := network.Reader{Aliases: true}.ParseAll(bytes.NewReader(text))
	checkFound(t, err)
	if err != nil {
		return
	}
	for _, n := range all {
		formatted, err := n.Format()
		if err != nil {
			t.Fatal(err)
		}
		again, err := network.Parse(bytes.NewReader(formatted))
		if err != nil {
			t.Fatalf("%v\n%s", err, formatted)
		}
		equal(t, "an alias is written as what it means", n, again)
	}
}

// FuzzLease reads the two values of a <lease> and looks at the time that they make.
func FuzzLease(f *testing.F) {
	for _, s := range [][2]string{{"5", ""}, {"0x10", "hours"}, {"0", "seconds"}, {"18446744073709551615", "hours"}, {"-1", "days"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, expiry, unit string) {
		var l network.Lease
		read := l.Expiry.UnmarshalText([]byte(expiry)) == nil
		if l.Unit.UnmarshalText([]byte(unit)) == nil && l.Unit.String() != unit {
			t.Fatalf("%q is written %q", unit, l.Unit)
		}
		finite := map[network.LeaseUnit]uint64{network.Seconds: 1 << 33, 0: 1 << 27, network.Minutes: 1 << 27, network.Hours: 1 << 21}[l.Unit]
		d, given := l.Time()
		if given != read || d < 0 || d == 0 && l.Expiry.Uint() != 0 && l.Expiry.Uint() < finite {
			t.Fatalf("%q %q: %v, %v", expiry, unit, d, given)
		}
		var again network.Lease
		if read && (again.Expiry.UnmarshalText([]byte(l.Expiry.String())) != nil || !again.Expiry.Equal(l.Expiry.Number)) {
			t.Fatalf("%q is written %q", expiry, l.Expiry)
		}
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

// definitions are documents with aliases.
var definitions = []string{
	`<network><name>n</name><forward mode='PEPA'><interface dev='eth0'/></forward></network>`,
	`<interface type='physical' name='s'><source dev='eth0'/><mode>all</mode></interface>`,
	`<interface type='bridge' name='s'><bridge><type>embedded</type><mode>VEPA</mode><interface type='ethernet' name='eth0'/></bridge></interface>`,
	`<bridge name='br0'><type>hypervisor</type></bridge>`,
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
