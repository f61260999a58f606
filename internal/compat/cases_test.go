// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A document is any of those that have rules.
type document interface {
	ValidateAs(schema.Rules) error
	Format() ([]byte, error)
}

// A sample is a case of testdata/rules: a document that breaks a rule.
type sample struct {
	file string // network/testdata/rules/bridge-delay.txt
	text string
}

// samples returns the cases of the packages that have documents.
func samples(t *testing.T) []sample {
	t.Helper()
	var all []sample
	for _, pkg := range []string{"network", "domainiface"} {
		files, err := filepath.Glob(root + pkg + "/testdata/rules/*.txt")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			doc, _, _ := strings.Cut(string(text), "-- default --\n")
			all = append(all, sample{filepath.ToSlash(strings.TrimPrefix(file, root)), doc})
		}
	}
	return all
}

// how is a way to look at a document.
type how struct {
	strict bool
	qemu   bool
	host   bool
	rules  schema.Rules
}

// aHost has a card, a VLAN device on it, and a card that is the port of a bridge.
var aHost = &host.Facts{Links: []host.Link{
	{Name: "eth0"}, {Name: "eth0.2", Kind: "vlan", Lower: "eth0", VLAN: 2}, {Name: "eth1", Master: "br0"},
}}

// violations returns what is wrong with the document, and the document.
func (s sample) violations(h how) (schema.Violations, document) {
	read := schema.Reader{Strict: h.strict, Compat: h.rules.Compat}
	var d document
	var err error
	switch {
	case strings.Contains(s.text, "<networkport"):
		var p *network.Port
		if p, err = network.Reader(read).ParsePort(strings.NewReader(s.text)); p != nil {
			d, err = p, schema.Join(err, p.ValidateAs(h.rules))
		}
	case strings.HasPrefix(s.file, "domainiface"):
		var i *domainiface.Interface
		if i, err = domainiface.Reader(read).Parse(strings.NewReader(s.text)); i != nil {
			on := domainiface.Hypervisor{}
			if h.qemu {
				on = domainiface.QEMU()
			}
			d, err = i, schema.Join(err, i.ValidateOn(on, h.rules))
			if h.host {
				err = schema.Join(err, i.ValidateHost(aHost, h.rules))
			}
		}
	default:
		var n *network.Network
		if n, err = network.Reader(read).Parse(strings.NewReader(s.text)); n != nil {
			d, err = n, schema.Join(err, n.ValidateAs(h.rules))
		}
	}
	vs, _ := err.(schema.Violations)
	return vs, d
}

// breaks returns the first violation of the rule, nil when there is none.
func (s sample) breaks(rule string, h how) *schema.Violation {
	vs, _ := s.violations(h)
	if at := slices.IndexFunc(vs, func(v *schema.Violation) bool { return v.Rule == rule }); at >= 0 {
		return vs[at]
	}
	return nil
}

// line returns one line of the document, counted from 1, without blanks around.
func (s sample) line(n int) string {
	lines := strings.Split(s.text, "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[n-1])
}

// best returns the sample that shows a rule best: of the rule's package if that has documents, named like the rule, and
// otherwise the first that ok takes.
func best(all []sample, r rule, ok func(sample) bool) (sample, bool) {
	found := sample{}
	rank := 3
	for _, s := range all {
		at := 2
		if strings.HasPrefix(s.file, r.pkg+"/") {
			at--
		}
		if filepath.Base(s.file) == r.name+".txt" {
			at--
		}
		if at < rank && (at == 0 || rank == 3 || filepath.Base(s.file) == r.name+".txt" || strings.HasPrefix(s.file, r.pkg+"/")) && ok(s) {
			found, rank = s, at
		}
	}
	return found, rank < 3
}
