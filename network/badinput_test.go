// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// TestBadInputLeavesTheHostAlone takes documents that must not lead to a network, as far as they go: an error that names the place, and
// nothing changed on the host.
func TestBadInputLeavesTheHostAlone(t *testing.T) {
	for name, c := range map[string]struct{ text, place string }{
		"not XML":                        {"hello", "/"},
		"wrong root":                     {"<domain><name>x</name></domain>", "/network"},
		"range outside the subnet":       {in("<ip address='10.1.1.1' prefix='24'><dhcp><range start='10.1.2.2' end='10.1.2.9'/></dhcp></ip>"), "/network/ip[1]/dhcp/range[1]/@start"},
		"bridge name of 16 bytes":        {in("<bridge name='sixteen-bytes-xx'/>"), "/network/bridge/@name"},
		"name with a slash":              {"<network><name>../x</name></network>", "/network/name"},
		"address in use on the host":     {in("<ip address='192.0.2.1' prefix='24'/>"), "/network/ip[1]"},
		"bridge in use on the host":      {in("<bridge name='eth0'/>"), "/network/bridge/@name"},
		"route in use on the host":       {in("<ip address='10.1.1.1' prefix='24'/><route address='192.0.2.0' prefix='24' gateway='10.1.1.2'/>"), "/network/route[1]"},
		"bridge of the host that is not": {in("<forward mode='bridge'/><bridge name='br7'/>"), "/network/bridge/@name"},
		"what this version cannot do":    {in("<bridge zone='trusted'/>"), "/network/bridge/@zone"},
		"reverse zone that cannot be":    {in("<ip address='10.1.1.1' prefix='26' localPtr='yes'/>"), "/network/ip[1]/@localPtr"},
		"50 MB":                          {"<network><name>x</name><description>" + strings.Repeat("x", 50<<20) + "</description></network>", "/"},
		"100,000 levels":                 {"<network><name>x</name>" + strings.Repeat("<a>", 100_000), "/network/a"},
	} {
		t.Run(name, func(t *testing.T) {
			m := hosttest.New("eth0")
			require.NoError(t, m.Do(t.Context(), host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.7/24")}))
			before := m.String()
			nets := open(t, m, network.Memory())

			var mem0, mem1 runtime.MemStats
			runtime.ReadMemStats(&mem0)
			n, err := network.Parse(strings.NewReader(c.text))
			if err == nil {
				err = nets.Create(t.Context(), n)
			}
			runtime.ReadMemStats(&mem1)

			require.Error(t, err)
			place := err.Error()
			var violation *schema.Violation
			if errors.As(err, &violation) {
				place = violation.Path
				require.Positive(t, violation.Line)
			}
			require.True(t, strings.HasPrefix(place, c.place), "%s does not begin with %s: %v", place, c.place, err)
			require.Less(t, len(err.Error()), 4096, "the error is longer than anybody reads")
			require.Less(t, mem1.TotalAlloc-mem0.TotalAlloc, uint64(256<<20), "bytes allocated")
			require.Equal(t, before, m.String())
			require.Empty(t, names(t, nets))
		})
	}
}

func in(content string) string { return "<network><name>x</name>" + content + "</network>" }
