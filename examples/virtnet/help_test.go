// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReference checks docs/virtnet.md against what help says.
func TestReference(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "virtnet.md")
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(reference()), 0o600))
	}
	want, err := os.ReadFile(page)
	require.NoError(t, err)
	require.True(t, reference() == string(want), "docs/virtnet.md is not what help says: go test ./examples/virtnet -run Reference -update writes it")
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		out, errs, status := invoke(t, args...)
		require.Zero(t, status, errs)
		require.Equal(t, summary(), out)
	}
	for _, of := range commands() {
		for _, args := range [][]string{{"help", of.name}, {of.name, "--help"}, {of.name, "x", "-h"}} {
			out, errs, status := invoke(t, args...)
			require.Zero(t, status, errs)
			require.Equal(t, of.help(), out)
		}
		require.Regexp(t, `^[a-z]`, of.about, "it is made a sentence")
		require.NotRegexp(t, `\.$`, of.about)
	}
	require.Equal(t, `usage: virtnet down [--idle] [--undefine] [--json] [--netns FILE] [--run-dir DIR] [--state DIR] NAME

Stop a network.

Its ports stay known, and are plugged in again when it is started. With --undefine there may be none.

  --idle             refuse a network that has ports
  --undefine         forget the network as well
  --json             print JSON
  --netns FILE       work in the network namespace of that FILE, such as /run/netns/lab
  --run-dir DIR      keep the files of running servers in DIR (/run/virtnet if it is not given)
  --state DIR        keep networks and ports in DIR (/var/lib/virtnet if it is not given)
`, find("down").help())
}
