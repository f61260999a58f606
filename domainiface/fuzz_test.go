// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network/schema"
)

// FuzzParse checks that no text makes the package panic, and the laws of reading and writing on every text that is
// a document.
func FuzzParse(f *testing.F) {
	for _, text := range files(f, "valid/*.xml") {
		f.Add(text)
	}
	for _, text := range files(f, "rules/*.txt") {
		doc, _, _ := strings.Cut(text, defaultLine)
		f.Add(doc)
	}
	f.Add(`<interface type='physical'><source dev='eth0'/><target mode='PEPA'/></interface>`)
	f.Add(`<interface type='bridge'><source bridge='eth0' mode='veb'/><target dev='m' mode='VEB'/></interface>`)
	f.Fuzz(func(t *testing.T, text string) {
		checkRoundTrip(t, text)
		for _, how := range []domainiface.Reader{{}, {Compat: true}, {Strict: true}, {Aliases: true}, {Aliases: true, Strict: true}} {
			i, err := how.Parse(strings.NewReader(text))
			if i == nil {
				continue
			}
			rules := schema.Rules{Compat: how.Compat}
			_ = schema.Join(err, i.ValidateOn(domainiface.QEMU(), rules))
			i.Normalize(rules)
		}
	})
}
