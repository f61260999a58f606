// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// namedTest is how a page names a test: package and function.
var namedTest = regexp.MustCompile("`([a-z/]+: Test[A-Za-z0-9]+)`")

// TestSecurityPage: each promise of SECURITY.md names tests, and there are all of them.
func TestSecurityPage(t *testing.T) {
	text, err := os.ReadFile(root + "SECURITY.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "| promise | tests |\n|---|---|\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	require.Greater(t, len(rows), 10)
	for _, row := range rows {
		names := namedTest.FindAllStringSubmatch(row, -1)
		assert.NotEmpty(t, names, row)
		for _, name := range names {
			assert.True(t, hasTest(t, name[1]), "there is no test %s", name[1])
		}
	}
}
