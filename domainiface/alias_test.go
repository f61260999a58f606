// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network/schema"
)

func TestAliases(t *testing.T) {
	const private = "<interface type='direct'>\n  <source dev='eth0' mode='private'/>\n</interface>\n"
	tests := []struct{ name, text, want string }{
		{"PEPA", `<interface type='direct'><source dev='eth0' mode='PEPA'/></interface>`, private},
		{"Private", `<interface type='direct'><source dev='eth0' mode='Private'/></interface>`, private},
		{"veb", `<interface type='direct'><source dev='eth0' mode='veb'/></interface>`, strings.Replace(private, "private", "bridge", 1)},
		{"VEPA", `<interface type='direct'><source dev='eth0' mode='VEPA'/></interface>`, strings.Replace(private, "private", "vepa", 1)},
		{"passthru", `<interface type='direct'><source dev='eth0' mode='passthru'/></interface>`, strings.Replace(private, "private", "passthrough", 1)},
		{"client", `<interface type='vhostuser'><source type='unix' path='/s' mode='client'/></interface>`, "<interface type='vhostuser'>\n  <source type='unix' path='/s' mode='client'/>\n</interface>\n"},
		{"physical", `<interface type='physical'><source dev='eth0'/><target mode='pepa'/></interface>`, private},
		{"of a bridge", `<interface type='bridge'><source bridge='eth0'/><target mode='PEPA'/></interface>`, private},
		{"of a bridge's device", `<interface type='bridge'><source dev='eth0'/><target mode='PEPA'/></interface>`, private},
		{"both", `<interface type='direct'><source dev='eth0' mode='private'/><target mode='PEPA'/></interface>`, private},
		{"target has more", `<interface type='physical'><source dev='eth0'/><target dev='m0' mode='pepa'/></interface>`,
			"<interface type='direct'>\n  <source dev='eth0' mode='private'/>\n  <target dev='m0'/>\n</interface>\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, how := range []domainiface.Reader{{Aliases: true}, {Aliases: true, Strict: true}, {Aliases: true, Compat: true}} {
				i, err := how.Parse(strings.NewReader(tt.text))
				require.NoError(t, err)
				assert.Equal(t, tt.want, format(t, i))
				assert.NoError(t, i.Validate())
			}
			if tt.name == "client" {
				return
			}
			_, err := domainiface.Reader{Strict: true}.Parse(strings.NewReader(tt.text))
			assert.Error(t, err, "only who asks for it gets it")
		})
	}
}

func TestAliasesRefused(t *testing.T) {
	tests := map[string]struct{ text, rule string }{
		"different":   {`<interface type='physical'><source dev='eth0' mode='vepa'/><target mode='PEPA'/></interface>`, "target-mode-other"},
		"all":         {`<interface type='physical'><source dev='eth0'/><target mode='all'/></interface>`, "target-mode"},
		"all, source": {`<interface type='physical'><source dev='eth0' mode='all'/></interface>`, "token-syntax"},
		"no word":     {`<interface type='physical'><source dev='eth0'/><target mode='fast'/></interface>`, "target-mode"},
		"on a network": {`<interface type='network'><source network='n'/><target mode='VEB'/></interface>`,
			"target-mode-type"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i, err := domainiface.Reader{Aliases: true}.Parse(strings.NewReader(tt.text))
			require.NotNil(t, i)
			var vs schema.Violations
			require.ErrorAs(t, err, &vs)
			require.Len(t, vs, 1)
			assert.Equal(t, tt.rule, vs[0].Rule)
			assert.Equal(t, 1, vs[0].Line)
			assert.Greater(t, vs[0].Column, 30, "the place of the attribute")
		})
	}
}

func TestAliasesAreSuggested(t *testing.T) {
	for word, want := range map[string]string{"VEPA": "vepa", "pepa": "private", "veb": "bridge", "VEB": "bridge", "passthru": "passthrough"} {
		_, err := domainiface.Parse(strings.NewReader(`<interface type='direct'><source dev='eth0' mode='` + word + `'/></interface>`))
		assert.ErrorContains(t, err, `(did you mean "`+want+`"?)`, word)
	}
	_, err := domainiface.Parse(strings.NewReader(`<interface type='physical'/>`))
	assert.ErrorContains(t, err, `(did you mean "direct"?)`)
}
