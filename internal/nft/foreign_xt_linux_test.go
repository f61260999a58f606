// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// What iptables puts into nf_tables is understood: the commands of Docker, ufw and administrators.
func TestForeignIptables(t *testing.T) {
	c, ns := connect(t)
	testenv.NeedProgram(t, "iptables-nft")
	for _, command := range []string{
		"-P FORWARD DROP",
		"-N DOCKER-USER",
		"-A FORWARD -j DOCKER-USER",
		"-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
		"-A FORWARD -m conntrack ! --ctstate DNAT -j DROP",
		"-A FORWARD -m conntrack --ctstatus ASSURED -j DROP",
		"-A DOCKER-USER -m comment --comment hello -s 10.0.0.0/8 -j RETURN",
		"-A DOCKER-USER -p tcp -m multiport --dports 80,443:445 -j DROP",
		"-A DOCKER-USER -p tcp -m multiport ! --sports 5000 -j DROP",
		"-A INPUT -p udp -m udp --dport 67:68 -j REJECT",
		"-A INPUT -p tcp -m tcp ! --sport 22 -j LOG",
		"-A INPUT -p tcp --syn -j DROP",
		"-A INPUT -m state --state NEW,UNTRACKED -j DROP",
		"-A INPUT -m limit --limit 3/min -j ACCEPT",
	} {
		ns.Output(t, "iptables-nft", strings.Fields(command)...)
	}
	chains, err := c.Foreign(t.Context(), nil)
	require.NoError(t, err)
	var text strings.Builder
	for _, chain := range chains {
		text.WriteString(chain.String() + " " + chain.Hook + " " + string(chain.Policy) + "\n")
		for _, r := range chain.Rules {
			text.WriteString("\t" + r.Text + " =>")
			for _, when := range r.When {
				text.WriteString(" " + string(when.Field) + map[bool]string{true: " not"}[when.Not] + " " + strings.Join(valuesOf(when), ","))
				if when.Field == host.Field("") {
					text.WriteString("?")
				}
				text.WriteString(";")
			}
			text.WriteString(" " + string(r.Do) + " " + r.To + "\n")
		}
	}
	golden(t, "iptables.txt", text.String())
}
