// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// FuzzExplain explains documents that may break any rule: nothing is harmed, and what is explained is settled.
func FuzzExplain(f *testing.F) {
	for _, text := range files(f, "explain/*.txt") {
		doc, _, _ := strings.Cut(text, defaultLine)
		net, nic, _ := strings.Cut(doc, interfaceLine)
		f.Add(net, nic, false)
		f.Add(net, nic, true)
	}
	f.Fuzz(func(t *testing.T, net, nic string, compat bool) {
		i, err := domainiface.Parse(strings.NewReader(nic))
		if err != nil {
			return
		}
		n, err := network.Parse(strings.NewReader(net))
		if err != nil {
			n = nil
		}
		rules := schema.Rules{Compat: compat}
		e, err := domainiface.Explain(i, n, domainiface.QEMU(), rules)
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "/") || strings.Contains(err.Error(), ": /"), err)
			return
		}
		require.NotEmpty(t, e.Settings)
		for _, s := range e.Settings {
			require.NotEmpty(t, s.Name)
			require.NotEmpty(t, s.Value, s.Name)
			require.Equal(t, s.Layer == schema.ByDefault || s.Layer == schema.Generated, s.Path == "", "%s", s.Name)
		}
	})
}
