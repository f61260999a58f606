// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// told returns the networks of a document in short: name, mode and what is used.
func told(networks []*network.Network) []string {
	var all []string
	for _, n := range networks {
		what := ""
		if n.Bridge != nil {
			what = " bridge " + n.Bridge.Name
		}
		for _, i := range n.Forward.Interfaces {
			what += " dev " + i.Dev.String()
		}
		all = append(all, n.Name+" "+n.Mode().String()+what)
	}
	return all
}

func TestDefinitions(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"hypervisor is the default", `<interface type='bridge' name='br0'/>`, []string{"br0 bridge bridge br0"}},
		{"hypervisor", `<interface type='bridge' name='br0'><type>hypervisor</type><mode>VEB</mode></interface>`, []string{"br0 bridge bridge br0"}},
		{"a bridge alone", `<bridge name='br0'><mode>all</mode></bridge>`, []string{"br0 bridge bridge br0"}},
		{"embedded VEPA", `<interface type='bridge' name='s'><bridge><type>embedded</type><mode>VEPA</mode><interface type='ethernet' name='eth0'/></bridge></interface>`, []string{"s vepa dev eth0"}},
		{"embedded PEPA", `<bridge name='s'><type>embedded</type><mode>PEPA</mode><source dev='eth0'/></bridge>`, []string{"s private dev eth0"}},
		{"physical VEB", `<interface type='physical' name='s'><source dev='eth0'/><mode>VEB</mode></interface>`, []string{"s bridge dev eth0"}},
		{"in any case", `<interface type='physical' name='s'><source dev='eth0'/><mode>pEpA</mode></interface>`, []string{"s private dev eth0"}},
		{"physical all", `<interface type='physical' name='s'><source dev='eth0'/><mode>all</mode></interface>`, []string{"s-vepa vepa dev eth0", "s-private private dev eth0", "s-bridge bridge dev eth0"}},
		{"all is the default", `<interface type='physical' name='s'><source dev='eth0'/></interface>`, []string{"s-vepa vepa dev eth0", "s-private private dev eth0", "s-bridge bridge dev eth0"}},
		{"ethernet", `<interface type='bridge' name='s'><type>ethernet</type><source dev='eth0'/></interface>`, []string{"s vepa dev eth0"}},
		{"ethernet all", `<interface type='bridge' name='s'><type>ethernet</type><mode>all</mode><source dev='eth0'/></interface>`, []string{"s vepa dev eth0"}},
		{"a network", `<network><name>n</name><forward mode='PEPA'><interface dev='eth0'/></forward></network>`, []string{"n private dev eth0"}},
		{"a network of no alias", `<network><name>n</name><forward mode='Passthru'><interface dev='eth0'/></forward></network>`, []string{"n passthrough dev eth0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, how := range []network.Reader{{Aliases: true}, {Aliases: true, Strict: true}, {Aliases: true, Compat: true}} {
				got, err := how.ParseAll(strings.NewReader(tt.text))
				require.NoError(t, err)
				assert.Equal(t, tt.want, told(got))
				for _, n := range got {
					assert.NoError(t, n.Validate())
					again, err := network.Parse(strings.NewReader(normalized(t, n, schema.Rules{})))
					require.NoError(t, err, "what is written has no alias")
					assert.Equal(t, n.Mode(), again.Mode())
				}
				one, err := how.Parse(strings.NewReader(tt.text))
				if len(tt.want) > 1 {
					assert.ErrorContains(t, err, "[definition-one]")
					assert.Nil(t, one)
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, tt.want, told([]*network.Network{one}))
			}
			_, err := network.Parse(strings.NewReader(tt.text))
			assert.Error(t, err, "only who asks for it gets it")
			_, err = network.Reader{}.ParseAll(strings.NewReader(tt.text))
			assert.Error(t, err)
		})
	}
}

func TestDefinitionsRefused(t *testing.T) {
	tests := map[string]struct{ text, rule string }{
		"no name":            {`<interface type='bridge'/>`, "definition-name"},
		"type":               {`<interface type='vlan' name='v'/>`, "definition-type"},
		"no type":            {`<interface name='v'/>`, "definition-type"},
		"hypervisor VEPA":    {`<bridge name='b'><mode>VEPA</mode></bridge>`, "definition-mode"},
		"hypervisor devices": {`<bridge name='b'><interface type='ethernet' name='eth0'/></bridge>`, "definition-device"},
		"ethernet VEB":       {`<bridge name='b'><type>ethernet</type><mode>VEB</mode><source dev='eth0'/></bridge>`, "definition-mode"},
		"no device":          {`<bridge name='b'><type>embedded</type><mode>VEB</mode></bridge>`, "definition-device"},
		"two devices":        {`<bridge name='b'><type>embedded</type><source dev='eth0'/><interface name='eth1'/></bridge>`, "definition-device"},
		"unknown type":       {`<bridge name='b'><type>soft</type></bridge>`, "definition-type"},
		"unknown mode":       {`<bridge name='b'><mode>passthru</mode></bridge>`, "definition-mode"},
		"unknown element":    {`<bridge name='b'><mtu size='9000'/></bridge>`, "element-unknown"},
		"not XML":            {`<bridge name='b'>`, "xml-syntax"},
		"other root":         {`<domain/>`, "xml-root"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := network.Reader{Aliases: true}.ParseAll(strings.NewReader(tt.text))
			assert.Empty(t, got)
			var vs schema.Violations
			require.ErrorAs(t, err, &vs)
			assert.Equal(t, tt.rule, vs[0].Rule)
			assert.NotZero(t, vs[0].Line)
			checkFound(t, err)
		})
	}
	_, err := network.Reader{Aliases: true}.Parse(failing{io.ErrClosedPipe})
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestAliasesAreSuggested(t *testing.T) {
	for word, want := range map[string]string{"VEPA": "vepa", "pepa": "private", "PEPA": "private", "veb": "bridge", "VEB": "bridge", "passthru": "passthrough"} {
		_, err := network.Parse(strings.NewReader(`<network><name>n</name><forward mode='` + word + `'/></network>`))
		assert.ErrorContains(t, err, `(did you mean "`+want+`"?)`, word)
	}
	_, err := network.Parse(strings.NewReader(`<interface type='bridge' name='br0'/>`))
	assert.ErrorContains(t, err, "Aliases")
	_, err = network.Parse(strings.NewReader(`<domain/>`))
	assert.NotContains(t, err.Error(), "Aliases")
}
