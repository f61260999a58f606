// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// What stops guests is named, whichever iptables made the rule.
func TestBarriersOfIptables(t *testing.T) {
	t.Parallel()
	n, err := network.Parse(strings.NewReader(`<network><name>n</name><forward/><bridge name='br1'/><ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.9'/></dhcp></ip>
<v:forwards xmlns:v='https://go-virtnet.github.io/schemas/network/1.0'><v:forward proto='tcp' port='8080' to='10.9.1.2' toport='80'/></v:forwards></network>`))
	require.NoError(t, err)
	for program, table := range map[string]string{"iptables-nft": "ip filter", "iptables-legacy": "ip filter (legacy)"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			b, ns := open(t)
			testenv.NeedProgram(t, program)
			for _, command := range []string{
				"-P FORWARD DROP", // as Docker does it
				"-N DOCKER-USER",
				"-A FORWARD -j DOCKER-USER",
				"-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
				"-A DOCKER-USER -i br1 -p tcp -m multiport --dports 25,465 -j REJECT",
				"-A INPUT -i br1 -p udp -m udp --dport 67 -j DROP", // as ufw does it
			} {
				ns.Output(t, program, strings.Fields(command)...)
			}
			fw, err := b.Firewall(t.Context())
			require.NoError(t, err)
			require.Empty(t, fw.Unread)
			found := map[network.Traffic]string{}
			for _, barrier := range network.Barriers(n, &host.Facts{}, fw) {
				found[barrier.Traffic] += string(barrier.Sure) + " by " + barrier.Chain + ": " + strings.ReplaceAll(barrier.Rule, "counter ", "") + "\n"
			}
			perhaps := "perhaps by " + table + " FORWARD: chain DOCKER-USER: iifname \"br1\" meta l4proto tcp tcp dport { 25, 465 } [xt target REJECT]\n"
			require.Equal(t, map[network.Traffic]string{
				network.Outbound:    perhaps + "always by " + table + " FORWARD: policy drop\n",
				network.Answers:     perhaps, // the outside may be behind any link
				network.Led:         "always by " + table + " FORWARD: policy drop\n",
				network.DHCPRequest: "always by " + table + " INPUT: iifname \"br1\" meta l4proto udp udp dport 67 drop\n",
			}, found)
		})
	}
}
