// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestDoctor asks about the usual network, one in a file, one that is defined and one that runs.
func TestDoctor(t *testing.T) {
	s, m := inMemory(t)
	out, errs, status := s.at(t, "doctor")
	require.Zero(t, status, errs)
	require.Equal(t, "# network \"default\" on this host\nnothing of another program stands in the way\n", out)
	out, errs, status = s.at(t, "doctor", "--json")
	require.Zero(t, status, errs)
	require.Equal(t, "{\n  \"network\": \"default\",\n  \"barriers\": []\n}\n", out)

	m.SetFirewall(host.Firewall{
		Chains: []host.Chain{{Family: "ip", Table: "filter", Name: "INPUT", Hook: "input", Policy: host.Drop, Rules: []host.ChainRule{
			{Text: "udp dport 67 accept", Do: host.Accept, When: []host.Condition{{Field: host.Transport, Protos: []host.Proto{host.UDP}}, {Field: host.DestPort, Ports: []host.PortRange{{From: 67, To: 67}}}}},
		}}},
		Unread: []string{"ip_tables table filter"},
	})
	const found = "ipv4, from guests to the DNS server of the host: stopped always by chain ip filter INPUT: policy drop\ncannot be read: ip_tables table filter\n"
	out, _, status = s.at(t, "doctor")
	require.Equal(t, 1, status)
	require.Equal(t, "# network \"default\" on this host\n"+found, out)
	out, _, status = s.at(t, "doctor", "--format=json")
	require.Equal(t, 1, status)
	require.JSONEq(t, `{"network":"default","barriers":[{"traffic":"from guests to the DNS server of the host","family":"ipv4","certainty":"always","chain":"ip filter INPUT","rule":"policy drop"}],
		"unread":["ip_tables table filter"]}`, out)

	_, errs, status = s.at(t, "doctor", "lan")
	require.Equal(t, 1, status)
	require.Equal(t, "virtnet: network \"lan\" is not defined\n", errs)
	for _, args := range [][]string{{sample("lan.xml")}, {"lan"}, {"lan"}} {
		out, _, status = s.at(t, append([]string{"doctor"}, args...)...)
		require.Equal(t, 1, status)
		require.Equal(t, "# network \"lan\" on this host\n"+found, out)
		_, errs, status = s.at(t, "up", sample("lan.xml"))
		require.Zero(t, status, errs)
	}
	_, _, status = s.at(t, "down", "lan")
	require.Zero(t, status)
	out, _, status = s.at(t, "doctor", "lan")
	require.Equal(t, 1, status)
	require.Equal(t, "# network \"lan\" on this host\n"+found, out, "it is defined")
}
