// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func TestRuleStrings(t *testing.T) {
	var text strings.Builder
	for _, r := range []host.Rule{
		{Do: host.Return},
		{Do: host.Reject},
		{Do: host.Drop},
		{Family: host.IPv4, Do: host.Drop},
		{Family: host.IPv6, Src: prefix("2001:db8::/64"), Do: host.Drop},
		{In: "br0", Out: "eth0", Established: true, Do: host.Return},
		{Dst: prefix("10.0.0.0/24"), Proto: host.UDP, Do: host.Return},
		{NotDst: prefix("2001:db8::/64"), Proto: 1, Do: host.Return},
		{Src: prefix("10.0.0.0/24"), Proto: host.TCP, Do: host.Masquerade, Ports: host.PortRange{From: 1024, To: 65535}},
		{Do: host.SNAT, Addrs: host.AddrRange{From: addr("192.0.2.1"), To: addr("192.0.2.1")}},
		{Do: host.SNAT, Addrs: host.AddrRange{From: addr("2001:db8::1"), To: addr("2001:db8::9")}},
		{Proto: host.UDP, Do: host.SNAT, Addrs: host.AddrRange{From: addr("192.0.2.1"), To: addr("192.0.2.9")}, Ports: host.PortRange{From: 1024, To: 2047}},
	} {
		text.WriteString(r.String() + "\n")
	}
	golden(t, "rules.txt", text.String())
}

func TestFilterEqual(t *testing.T) {
	require.True(t, filter().Equal(filter()))
	require.True(t, host.Filter{}.Equal(host.Filter{Network: "n1"}), "none is none")
	require.False(t, filter().Equal(host.Filter{}))
	for name, f := range map[string]func(*host.Filter){
		"network":  func(f *host.Filter) { f.Network = "n9" },
		"link":     func(f *host.Filter) { f.Link = "br9" },
		"from":     func(f *host.Filter) { f.From = f.From[:1] },
		"to":       func(f *host.Filter) { f.To[0].Established = false },
		"nat":      func(f *host.Filter) { f.NAT[1].Ports.To = 2 },
		"forwards": func(f *host.Filter) { f.Forwards = []host.PortForward{{}} },
		"guarded":  func(f *host.Filter) { f.Guarded = true },
		"clients":  func(f *host.Filter) { f.HideClients = true },
	} {
		require.False(t, filter().Equal(change(filter(), f)), name)
	}
}

func TestWords(t *testing.T) {
	require.Equal(t, host.IPv4, host.FamilyOf(addr("10.0.0.1")))
	require.Equal(t, host.IPv6, host.FamilyOf(addr("2001:db8::1")))
	require.Equal(t, host.AnyFamily, host.FamilyOf(netip.Addr{}))
	require.Equal(t, "any ipv4 ipv6", host.AnyFamily.String()+" "+host.IPv4.String()+" "+host.IPv6.String())
	require.Equal(t, "any tcp udp sctp 133", host.AnyProto.String()+" "+host.TCP.String()+" "+host.UDP.String()+" "+host.SCTP.String()+" "+host.Proto(133).String())
}
