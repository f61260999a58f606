// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/network/host"
)

// office is a server that knows some names, and whom to ask about others.
func office() *host.Server {
	s := lan()
	s.LocalDomain = true
	s.DNS = &host.DNS{
		KeepPlainNames: true,
		Hosts:          []host.NameRecord{{Addr: netip.MustParseAddr("10.1.1.60"), Names: []string{"Alias", "other.example"}}},
		TXT:            []host.TXTRecord{{Name: "info.lan.example", Value: strings.Repeat("x", 300)}},
		SRV: []host.SRVRecord{
			{Service: "ldap", Protocol: "tcp", Target: "alias.lan.example", Port: 389, Priority: 1, Weight: 5},
			{Service: "none", Protocol: "tcp"},
		},
		LocalZones: []netip.Prefix{netip.MustParsePrefix("10.1.1.0/24")},
		Forwarders: []host.Forwarder{
			{Domain: "corp.example", Addr: netip.MustParseAddr("192.0.2.1")},
			{Domain: "corp.example", Addr: netip.MustParseAddr("192.0.2.2")},
			{Domain: "host.corp.example"},
			{Addr: netip.MustParseAddr("192.0.2.9")},
		},
	}
	return s
}

// asks is a question as a client packs it.
func asks(t *testing.T, name string, kind dnsmessage.Type) question {
	t.Helper()
	packet := packed(t, name, kind)
	q, ok := readQuestion(packet)
	require.True(t, ok)
	return q
}

func packed(t *testing.T, name string, kind dnsmessage.Type, extra ...dnsmessage.Resource) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:      dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions:   []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
		Additionals: extra,
	}
	packet, err := m.Pack()
	require.NoError(t, err)
	return packet
}

// said is what is decided of a question, in words.
func said(n *names, q question, keepPlain bool) string {
	code, found, whom, done := n.decide(q, keepPlain)
	if !done {
		return fmt.Sprintf("ask %s", whom.servers)
	}
	words := []string{strings.TrimPrefix(code.String(), "RCode")}
	for _, b := range found {
		switch b := b.body.(type) {
		case *dnsmessage.AResource:
			words = append(words, netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			words = append(words, netip.AddrFrom16(b.AAAA).String())
		case *dnsmessage.CNAMEResource:
			words = append(words, "alias "+b.CNAME.String())
		case *dnsmessage.PTRResource:
			words = append(words, b.PTR.String())
		case *dnsmessage.SRVResource:
			words = append(words, fmt.Sprint(b.Priority, b.Weight, b.Port, " ", b.Target))
		case *dnsmessage.TXTResource:
			words = append(words, fmt.Sprint(len(b.TXT[0]), len(b.TXT[1])))
		}
	}
	return strings.Join(words, " ")
}

func TestNames(t *testing.T) {
	n := newNames(office(), &dnsDirectives{})
	n.lease("web", netip.MustParseAddr("10.1.1.10"), true)
	const a, aaaa, ptr, txt, srv, mx = dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR, dnsmessage.TypeTXT, dnsmessage.TypeSRV, dnsmessage.TypeMX
	for _, c := range []struct {
		name string
		kind dnsmessage.Type
		want string
	}{
		{"alias.lan.example.", a, "Success 10.1.1.60"},
		{"ALIAS.", a, "Success 10.1.1.60"},
		{"alias.", aaaa, "Success"},
		{"other.example.", a, "Success 10.1.1.60"},
		{"alpha.lan.example.", a, "Success 10.1.1.101"},
		{"web.", a, "Success 10.1.1.10"},
		{"web.lan.example.", a, "Success 10.1.1.10"},
		{"nobody.lan.example.", a, "NameError"},
		{"alias.lan.example.", mx, "Success"},
		{"nobody.", a, "NameError"},
		{"60.1.1.10.in-addr.arpa.", ptr, "Success alias.lan.example."},
		{"10.1.1.10.in-addr.arpa.", ptr, "Success web.lan.example."},
		{"77.1.1.10.in-addr.arpa.", ptr, "NameError"},
		{"1.2.0.192.in-addr.arpa.", ptr, "ask [192.0.2.9:53]"},
		{"info.lan.example.", txt, "Success 255 45"},
		{"_ldap._tcp.lan.example.", srv, "Success 1 5 389 alias.lan.example. 10.1.1.60"},
		{"_none._tcp.lan.example.", srv, "Success 0 0 1 ."},
		{"www.corp.example.", a, "ask [192.0.2.1:53 192.0.2.2:53]"},
		{"corp.example.", a, "ask [192.0.2.1:53 192.0.2.2:53]"},
		{"x.host.corp.example.", a, "ask [192.0.2.9:53]"},
		{"notcorp.example.", a, "ask [192.0.2.9:53]"},
		{"other.example.", mx, "ask [192.0.2.9:53]"},
	} {
		require.Equal(t, c.want, said(n, asks(t, c.name, c.kind), true), "%s %s", c.name, c.kind)
	}
	q := asks(t, "alias.", a)
	q.Class = dnsmessage.ClassCHAOS
	require.Equal(t, "NotImplemented", said(n, q, true))
}

// Nothing is asked outside where nothing may leave, and plain names leave where they may.
func TestNamesOfClosedNetwork(t *testing.T) {
	s := lan()
	s.DNS = &host.DNS{NoForward: true}
	n := newNames(s, &dnsDirectives{})
	require.Equal(t, "Refused", said(n, asks(t, "www.example.", dnsmessage.TypeA), false))
	s.DNS = &host.DNS{}
	require.Equal(t, "ask []", said(newNames(s, &dnsDirectives{}), asks(t, "www.", dnsmessage.TypeA), false))
	s.DNS = nil
	require.Nil(t, newNames(s, &dnsDirectives{}))
}

// TestLeasedNames: the names of guests come and go with their addresses, and are nobody else's meanwhile.
func TestLeasedNames(t *testing.T) {
	n := newNames(office(), &dnsDirectives{})
	first, second, six := netip.MustParseAddr("10.1.1.10"), netip.MustParseAddr("10.1.1.11"), netip.MustParseAddr("fd00::1")
	of := func(name string) []netip.Addr { list, _ := n.known(name); return list }
	n.lease("web", first, true)
	n.lease("web", second, true)
	n.lease("web", six, true)
	require.Equal(t, []netip.Addr{first, six}, of("web."), "one of each family")
	n.lease("alias", second, true)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("10.1.1.60")}, of("alias."), "a guest cannot take a name of the document")
	n.lease("shop", first, true)
	require.Equal(t, []netip.Addr{six}, of("web."), "a guest that calls itself otherwise has one name")
	require.Equal(t, []netip.Addr{first}, of("shop.lan.example."))
	n.lease("shop", first, false)
	n.lease("web", six, false)
	require.Empty(t, n.leased)
	require.Empty(t, n.leasedOf)
}

func TestReverseAddr(t *testing.T) {
	for name, want := range map[string]string{
		"4.3.2.1.in-addr.arpa.": "1.2.3.4",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa.": "fd00:1::1",
		"3.2.1.in-addr.arpa.":     "",
		"04.3.2.1.in-addr.arpa.":  "",
		"256.3.2.1.in-addr.arpa.": "",
		"-1.3.2.1.in-addr.arpa.":  "",
		"1.ip6.arpa.":             "",
		"example.":                "",
	} {
		got, ok := reverseAddr(name)
		require.Equal(t, want != "", ok, name)
		if ok {
			require.Equal(t, want, got.String(), name)
		}
	}
}
