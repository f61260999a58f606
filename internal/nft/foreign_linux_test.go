// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestForeignOfMany reads more rules than the kernel tells in one go, which have sets besides.
func TestForeignOfMany(t *testing.T) {
	c, ns := connect(t)
	var text strings.Builder
	text.WriteString("table inet x {\n")
	const many = 600
	for i := range many {
		fmt.Fprintf(&text, "chain c%d { iifname \"c%d\" ip saddr { 10.0.0.%d } drop; }\n", i, i, i%200)
	}
	load(t, ns, text.String()+"}\n")
	chains, err := c.Foreign(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, chains, many)
	for _, chain := range chains {
		require.Len(t, chain.Rules, 1, chain.Name)
		rule := chain.Rules[0]
		require.Equal(t, []string{chain.Name}, rule.When[0].Names, rule.Text)
		require.Equal(t, host.Drop, rule.Do, rule.Text)
	}
}
