// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

func TestDoctor(t *testing.T) {
	n, err := network.Parse(strings.NewReader(usualNetwork))
	require.NoError(t, err)
	m := hosttest.New("eth0")
	told := func(asJSON bool) (string, error) {
		var out bytes.Buffer
		err := diagnose(t.Context(), &out, n, m, "a machine", asJSON)
		return out.String(), err
	}
	text, err := told(false)
	require.NoError(t, err)
	require.Equal(t, "# network \"default\" on a machine\nnothing of another program stands in the way\n", text)

	m.SetFirewall(host.Firewall{
		Chains: []host.Chain{{Family: "ip", Table: "filter", Name: "INPUT", Hook: "input", Policy: host.Drop, Rules: []host.ChainRule{
			{Text: "udp dport 67 accept", Do: host.Accept, When: []host.Condition{{Field: host.Transport, Protos: []host.Proto{host.UDP}}, {Field: host.DestPort, Ports: []host.PortRange{{From: 67, To: 67}}}}},
		}}},
		Unread: []string{"ip_tables table filter"},
	})
	text, err = told(false)
	require.ErrorIs(t, err, errFound)
	require.Equal(t, "# network \"default\" on a machine\nipv4, from guests to the DNS server of the host: stopped always by chain ip filter INPUT: policy drop\ncannot be read: ip_tables table filter\n", text)
	text, err = told(true)
	require.ErrorIs(t, err, errFound)
	require.Equal(t, `{"traffic":"from guests to the DNS server of the host","family":"ipv4","certainty":"always","chain":"ip filter INPUT","rule":"policy drop"}
{"unread":"ip_tables table filter"}
`, text)
	_, _, status := call(t, "doctor", "--format=xml")
	require.Equal(t, 2, status)
	_, errs, status := call(t, "doctor", file(t, guestInterface))
	require.Equal(t, 1, status)
	require.Contains(t, errs, "is no <network>")
}
