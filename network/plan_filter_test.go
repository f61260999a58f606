// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// What a DHCP server answers is repaired where a network has one and the machine can do it; where it cannot, the network
// starts all the same.
func TestPlanChecksums(t *testing.T) {
	const dhcp = `<dhcp><range start='10.9.1.2' end='10.9.1.9'/></dhcp>`
	for _, c := range []struct {
		name, document string
		cannot         bool
		want           string
	}{
		{"with DHCP", `<ip address='10.9.1.1' prefix='24'>` + dhcp + `</ip>`, false, "[10.9.1.1]"},
		{"any of its addresses", `<ip address='10.9.2.1' prefix='24'/><ip address='10.9.1.1' prefix='24'>` + dhcp + `</ip><ip family='ipv6' address='2001:db8::1' prefix='64'/>`, false, "[10.9.1.1 10.9.2.1]"},
		{"open", `<forward mode='open'/><ip address='10.9.1.1' prefix='24'>` + dhcp + `</ip>`, false, "[10.9.1.1]"},
		{"no DHCP", `<ip address='10.9.1.1' prefix='24'/>`, false, "[]"},
		{"another machine", `<ip address='10.9.1.1' prefix='24'>` + dhcp + `</ip>`, true, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hosttest.New("eth0")
			m.NoChecksums = c.cannot
			nets, err := network.Open(t.Context(), m, network.Memory())
			require.NoError(t, err)
			n, err := network.Parse(strings.NewReader(`<network><name>n</name><bridge name='br1'/>` + c.document + `</network>`))
			require.NoError(t, err)
			require.NoError(t, nets.Create(t.Context(), n))
			f, err := m.Facts(t.Context(), host.Scope{All: true})
			require.NoError(t, err)
			require.Len(t, f.Filters, 1)
			got := []string{}
			for _, addr := range f.Filters[0].DHCP {
				got = append(got, addr.String())
			}
			require.Equal(t, c.want, "["+strings.Join(got, " ")+"]")
			require.NoError(t, nets.Stop(t.Context(), "n"))
		})
	}
}
