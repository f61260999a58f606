// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// interfaceLine stands between the network, if there is one, and the interface of a case in testdata/explain. What is
// explained or refused follows: in the default mode, in Compat mode and on QEMU, where these are not the same.
const interfaceLine = "-- interface --\n"

// explained returns what is said about the case.
func explained(t *testing.T, doc string, on domainiface.Hypervisor, rules schema.Rules) string {
	t.Helper()
	net, nic, ok := strings.Cut(doc, interfaceLine)
	require.True(t, ok)
	var n *network.Network
	if net != "" {
		var err error
		n, err = network.Reader{Compat: rules.Compat}.Parse(strings.NewReader(net))
		require.NoError(t, err)
		if err := n.ValidateAs(rules); err != nil {
			return err.Error() + "\n"
		}
	}
	i, err := domainiface.Reader{Compat: rules.Compat}.Parse(strings.NewReader(nic))
	require.NoError(t, err)
	if err := i.ValidateAs(rules); err != nil {
		return err.Error() + "\n"
	}
	e, err := domainiface.Explain(i, n, on, rules)
	dry := i.ValidateIn(n, on, rules)
	if err != nil {
		require.EqualError(t, dry, err.Error())
		return err.Error() + "\n"
	}
	require.NoError(t, dry)
	return e.String()
}

func TestExplain(t *testing.T) {
	for path, text := range files(t, "explain/*.txt") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			doc, _, _ := strings.Cut(text, defaultLine)
			def := explained(t, doc, domainiface.Hypervisor{}, schema.Rules{})
			got := doc + defaultLine + def
			if compat := explained(t, doc, domainiface.Hypervisor{}, schema.Rules{Compat: true}); compat != def {
				got += compatLine + compat
			}
			if qemu := explained(t, doc, domainiface.QEMU(), schema.Rules{}); qemu != def {
				got += qemuLine + qemu
			}
			golden(t, path, got)
		})
	}
}

// TestEveryAttachRuleHasAFailingCase looks for the rules about interfaces and their networks.
func TestEveryAttachRuleHasAFailingCase(t *testing.T) {
	var cases strings.Builder
	for _, text := range files(t, "explain/*.txt") {
		_, said, _ := strings.Cut(text, defaultLine)
		cases.WriteString(said)
	}
	rules := map[string]bool{}
	collectRules(t, ".", rules, rules)
	found := 0
	for rule := range rules {
		if strings.HasPrefix(rule, attachRule) {
			found++
			assert.Contains(t, cases.String(), "["+rule+"]\n")
		}
	}
	require.Greater(t, found, 10)
}

// TestPluggedDevice shows what libvirt asks of a hypervisor about a type only, not about what a network gives.
func TestPluggedDevice(t *testing.T) {
	for d, name := range map[schema.Deviation]string{domainiface.PluggedMTU: "attach-mtu", domainiface.PluggedCoalesce: "attach-coalesce"} {
		doc, _, _ := strings.Cut(files(t, "explain/"+name+".txt")[filepath.Join("testdata", "explain", name+".txt")], defaultLine)
		assert.Contains(t, explained(t, doc, domainiface.QEMU(), schema.Rules{}), "["+string(d)+"]\n")
		for _, rules := range []schema.Rules{{Compat: true}, {Allow: []schema.Deviation{d}}} {
			assert.NotContains(t, explained(t, doc, domainiface.QEMU(), rules), "["+string(d)+"]\n")
		}
	}
}

func TestExplainSetting(t *testing.T) {
	e, err := domainiface.Explain(parse(t, `<interface type='direct'><source dev='lan1'/></interface>`), nil, domainiface.Hypervisor{}, schema.Rules{})
	require.NoError(t, err)
	mode, ok := e.Setting("mode")
	assert.True(t, ok)
	assert.Equal(t, schema.Setting{Name: "mode", Value: "vepa", Layer: schema.ByDefault}, mode)
	_, ok = e.Setting("portgroup")
	assert.False(t, ok)
	assert.Equal(t, "lan1", e.Port.Plug.Dev.String())
}
