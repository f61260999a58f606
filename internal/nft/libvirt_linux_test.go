// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// TestLibvirtRules drops the rules of one of two networks from the tables of both kinds that libvirt has. The other network's
// stay, and so does what else mentions the bridge.
func TestLibvirtRules(t *testing.T) {
	text, err := os.ReadFile("testdata/libvirt.nft")
	require.NoError(t, err)
	c, ns := connect(t)
	ns.Output(t, "ip", "link", "add", "virbr0", "type", "bridge")
	ns.Output(t, "ip", "link", "add", "virbr1", "type", "bridge")
	load(t, ns, string(text))
	links := map[uint32]string{2: "virbr0", 3: "virbr1"}
	rules, err := c.LibvirtRules(t.Context(), links)
	require.NoError(t, err)
	var lines strings.Builder
	for _, r := range rules {
		lines.WriteString(r.Family + " " + r.Table + " " + r.Chain + ": " + r.Text + "\n")
	}
	golden(t, "libvirt-rules.txt", lines.String())

	before := listing(t, ns)
	op := host.DropRules{Link: "virbr0", Subnets: []netip.Prefix{netip.MustParsePrefix("192.168.122.0/24"), netip.MustParsePrefix("fd00:1::/64")}}
	for range 2 {
		require.NoError(t, c.DropRules(t.Context(), links, op))
	}
	theirs := strings.NewReplacer("virbr0", "", "192.168.122.", "", "fd00:1::", "")
	left := listing(t, ns)
	for line := range strings.Lines(left) {
		require.True(t, theirs.Replace(line) == line || strings.Contains(line, "administrator"), "left: %s", line)
	}
	for line := range strings.Lines(before) {
		if theirs.Replace(line) == line || strings.Contains(line, "administrator") {
			require.Contains(t, left, line)
		}
	}
	require.Equal(t, 3, strings.Count(left, "administrator"))
}
