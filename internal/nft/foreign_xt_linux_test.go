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
	golden(t, "iptables.txt", chainsText(chains))
}

// The older tables of iptables are read as well.
func TestLegacy(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "iptables-legacy")
	ns := testenv.New(t)
	for _, command := range []string{
		"iptables-legacy -P FORWARD DROP",
		"iptables-legacy -N DOCKER-USER",
		"iptables-legacy -N EMPTY",
		"iptables-legacy -A FORWARD -j DOCKER-USER",
		"iptables-legacy -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"iptables-legacy -A FORWARD -i docker+ ! -o docker0 -j ACCEPT",
		"iptables-legacy -A FORWARD -g EMPTY",
		"iptables-legacy -A DOCKER-USER -s 10.0.0.0/8 ! -d 10.1.0.0/16 -m comment --comment hello",
		"iptables-legacy -A DOCKER-USER -p tcp -m multiport --dports 80,443:445 -j DROP",
		"iptables-legacy -A DOCKER-USER -j RETURN",
		"iptables-legacy -A INPUT -p udp --dport 67:68 -j REJECT",
		"iptables-legacy -A INPUT -m limit --limit 3/min -j ACCEPT",
		"iptables-legacy -t nat -A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE",
		"ip6tables-legacy -A FORWARD ! -i eth0 -s fd00::/8 -p tcp --dport 22 -j DROP",
	} {
		words := strings.Fields(command)
		ns.Output(t, words[0], words[1:]...)
	}
	var all []host.Chain
	ns.Run(t, func() {
		for _, x := range []struct {
			family host.Family
			table  string
		}{{host.IPv4, "filter"}, {host.IPv4, "nat"}, {host.IPv6, "filter"}} {
			chains, err := Legacy(x.family, x.table)
			require.NoError(t, err)
			all = append(all, chains...)
		}
	})
	golden(t, "iptables-legacy.txt", chainsText(all))
}

// chainsText is chains with their rules, and how these are understood.
func chainsText(chains []host.Chain) string {
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
	return text.String()
}
