// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

// standIn writes a shell script that stands for dnsmasq.
func standIn(t *testing.T, script string) func(*linux.Config) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dnsmasq")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755))
	return func(c *linux.Config) { c.Dnsmasq = path }
}

func TestServerProgram(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	real, err := p.ServerProgram(t.Context())
	require.NoError(t, err)
	require.Regexp(t, `^2\.\d+$`, real.Version)
	require.NotContains(t, real.Lacks, "DHCP")

	odd := standIn(t, `[ "$1" = --version ] && { echo "Dnsmasq version UNKNOWN-git, Compile time options: no-TFTP"; exit; }
exec dnsmasq "$@"`)
	b := p.open(t, odd)
	got, err := b.ServerProgram(t.Context())
	require.NoError(t, err)
	require.Equal(t, "", got.Version)
	require.Equal(t, []string{"TFTP"}, got.Lacks)
	do(t, b, serve4(), serve4().Inverse())

	_, err = p.open(t, func(c *linux.Config) { c.Dnsmasq = "/nonexistent" }).ServerProgram(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

// TestServeWithoutFeature starts programs that refuse a line, in the words of several versions.
func TestServeWithoutFeature(t *testing.T) {
	t.Parallel()
	for name, words := range map[string]string{
		"built without":   "unsupported option (check that dnsmasq was compiled with DHCP/TFTP/DNSSEC/DBus support)",
		"recompile":       "recompile with HAVE_DHCP defined to enable dhcp directives",
		"older than ours": "bad option",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			b := p.open(t, standIn(t, fmt.Sprintf(`conf=${1#--conf-file=}
echo "dnsmasq: %s at line $(grep -n ^dhcp-range= "$conf" | head -1 | cut -d: -f1) of $conf" >&2
exit 1`, words)))
			err := b.Do(t.Context(), serve4())
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, `this dnsmasq cannot do "dhcp-range=`)
			p.empty(t)
		})
	}
}
