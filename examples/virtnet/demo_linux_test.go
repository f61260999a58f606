// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// TestDemo is "virtnet demo" as root: everything it promises, and nothing left behind.
func TestDemo(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	var out bytes.Buffer
	require.NoError(t, demoOnKernel(t.Context(), &out), "%s", &out)
	for _, want := range []string{
		"lease of 192.168.122.", "the name guest is 192.168.122.", "TCP to 203.0.113.2, which sees the guest as 203.0.113.1",
		"default  active  nat", "52:54:00:12:34:56", "Nothing is left",
	} {
		require.Contains(t, out.String(), want)
	}
	left, err := filepath.Glob("/run/netns/virtnet-demo-*")
	require.NoError(t, err)
	require.Empty(t, left)
	left, err = filepath.Glob(filepath.Join(os.TempDir(), "virtnet-demo-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
