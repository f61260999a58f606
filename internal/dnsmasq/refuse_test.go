// SPDX-License-Identifier: Apache-2.0

package dnsmasq_test

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// full is a server that uses every field.
func full() host.Server {
	return host.Server{
		Name: "n", Link: "br0", Domain: "d.example", LocalDomain: true, MTU: 1400,
		DNS: &host.DNS{
			Forwarders: []host.Forwarder{{Domain: "f.example", Addr: netip.MustParseAddr("192.0.2.1")}},
			LocalZones: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
			Hosts:      []host.NameRecord{{Addr: netip.MustParseAddr("10.0.0.9"), Names: []string{"h"}}},
			TXT:        []host.TXTRecord{{Name: "t.example", Value: "v"}},
			SRV:        []host.SRVRecord{{Service: "s", Protocol: "tcp", Domain: "s.example", Target: "t.example"}},
		},
		Subnets: []host.Subnet{
			{
				Prefix:   netip.MustParsePrefix("10.0.0.1/24"),
				Ranges:   []host.Range{{Start: netip.MustParseAddr("10.0.0.2"), End: netip.MustParseAddr("10.0.0.4")}},
				Hosts:    []host.StaticHost{{MAC: host.MAC{2, 0, 0, 0, 0, 1}, Name: "g", Addr: netip.MustParseAddr("10.0.0.5")}},
				BootFile: "pxe", TFTPRoot: "/srv",
			},
			{
				Prefix: netip.MustParsePrefix("2001:db8::1/64"),
				Hosts:  []host.StaticHost{{DUID: "00:03:00:01:02:00:00:00:00:01", Addr: netip.MustParseAddr("2001:db8::5")}},
			},
		},
		Options: []string{"cache-size=10"},
	}
}

// fields are all texts of a server that come from a document.
var fields = []struct {
	name  string
	field func(s *host.Server) *string
}{
	{"domain", func(s *host.Server) *string { return &s.Domain }},
	{"forwarder domain", func(s *host.Server) *string { return &s.DNS.Forwarders[0].Domain }},
	{"host name", func(s *host.Server) *string { return &s.DNS.Hosts[0].Names[0] }},
	{"txt name", func(s *host.Server) *string { return &s.DNS.TXT[0].Name }},
	{"txt value", func(s *host.Server) *string { return &s.DNS.TXT[0].Value }},
	{"srv service", func(s *host.Server) *string { return &s.DNS.SRV[0].Service }},
	{"srv protocol", func(s *host.Server) *string { return &s.DNS.SRV[0].Protocol }},
	{"srv domain", func(s *host.Server) *string { return &s.DNS.SRV[0].Domain }},
	{"srv target", func(s *host.Server) *string { return &s.DNS.SRV[0].Target }},
	{"static host name", func(s *host.Server) *string { return &s.Subnets[0].Hosts[0].Name }},
	{"static host id", func(s *host.Server) *string { return &s.Subnets[1].Hosts[0].DUID }},
	{"boot file", func(s *host.Server) *string { return &s.Subnets[0].BootFile }},
	{"tftp root", func(s *host.Server) *string { return &s.Subnets[0].TFTPRoot }},
	{"link", func(s *host.Server) *string { return &s.Link }},
}

// attacks are what a value could try in order to become something else than a value.
var attacks = []string{
	"a\nconf-file=/etc/passwd", "a\r\nuser=root", "a\x00b", "a\tb", "a\x1fb", "a\x7fb", "a\u0085b", "a\xffb", "a\u2028b",
	"a,b", ",", "a,10.0.0.99", "a b", " a", "a ", "a\"", "\"a", "\"", "a\\", "a\\\"", "\\n", "a #b", "#", "a/b/#", "/",
	"..", ".", "a..b", "-a", "--user=root", "*", "a*", "%d", "%s%n", "id:*", "set:x", "tag:x", "net:x", "[::1]", "a:b", "a=b", "a@b",
	"1.2.3.4", "::1", "5m", "infinite", "ignore", "static", "0", strings.Repeat("a", 64), strings.Repeat("a.", 600), strings.Repeat("é", 600),
}

func lineCount(conf []byte) int { return strings.Count(string(conf), "\n") }

func keys(conf []byte) (list []string) {
	for line := range strings.Lines(string(conf)) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		list = append(list, key)
	}
	return list
}

// TestValuesStayValues tries every attack in every field. It is refused, naming it, or it changes nothing but the
// line it stands in; what the real program makes of those lines is another test's affair.
func TestValuesStayValues(t *testing.T) {
	plain := full()
	want, err := dnsmasq.Config(&plain, dnsmasq.Files{})
	require.NoError(t, err)
	for _, f := range fields {
		for _, attack := range attacks {
			s := full()
			*f.field(&s) = attack
			conf, err := dnsmasq.Config(&s, dnsmasq.Files{})
			if err != nil {
				require.ErrorIs(t, err, fs.ErrInvalid, "%s %q", f.name, attack)
				require.Nil(t, conf)
				continue
			}
			require.Equal(t, keys(want), keys(conf), "%s %q\n%s", f.name, attack, conf)
			for line := range strings.Lines(string(conf)) {
				require.LessOrEqual(t, len(line), 1024, "%s %q", f.name, attack)
			}
		}
	}
}

// TestProgramTakesAttacks has the real program read what was not refused.
func TestProgramTakesAttacks(t *testing.T) {
	testenv.NeedProgram(t, "dnsmasq")
	for _, f := range fields {
		taken := 0
		for _, attack := range attacks {
			one := full()
			*f.field(&one) = attack
			conf, err := dnsmasq.Config(&one, dnsmasq.Files{})
			if err != nil {
				continue
			}
			taken++
			testSyntax(t, conf)
		}
		t.Logf("%s: %d of %d taken", f.name, taken, len(attacks))
	}
}

func TestRefused(t *testing.T) {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	tests := []struct {
		name   string
		change func(s *host.Server)
		want   string
	}{
		{"option of two lines", func(s *host.Server) { s.Options = []string{"a\nb"} }, `control character in "a\nb"`},
		{"option that is too long", func(s *host.Server) { s.Options = []string{strings.Repeat("x", 1024)} }, "has 1024 bytes, a line of dnsmasq at most 1023"},
		{"text that is too long", func(s *host.Server) { s.DNS.TXT[0].Value = strings.Repeat("x", 1020) }, "a line of dnsmasq at most"},
		{"reverse zone", func(s *host.Server) { s.DNS.LocalZones = []netip.Prefix{prefix("10.0.0.0/23")} }, "10.0.0.0/23: the prefix must be 8, 16 or 24"},
		{"forwarder of nothing", func(s *host.Server) { s.DNS.Forwarders = []host.Forwarder{{}} }, "forwarder: neither a domain nor an address"},
		{"forwarder's scope", func(s *host.Server) { s.DNS.Forwarders[0].Addr = addr("fe80::1%a#b") }, `address "fe80::1%a#b"`},
		{"local domain without name", func(s *host.Server) { s.Domain = "" }, "a local domain without a name"},
		{"range elsewhere", func(s *host.Server) { s.Subnets[0].Ranges[0].End = addr("10.0.1.4") }, "subnet 10.0.0.1/24: range 10.0.0.2-10.0.1.4: not a range of the network"},
		{"host of another family", func(s *host.Server) { s.Subnets[0].Hosts[0].Addr = addr("2001:db8::9") }, "host 2001:db8::9: not an address of the network"},
		{"host nobody knows", func(s *host.Server) { s.Subnets[0].Hosts[0] = host.StaticHost{Addr: addr("10.0.0.5")} }, "nothing to know it by"},
		{"lease time", func(s *host.Server) { s.Subnets[0].Ranges[0].Lease = -2 }, "lease time -2ns"},
		{"wide IPv6 network", func(s *host.Server) { s.Subnets[1].Prefix = prefix("2001:db8::1/56") }, "wider than 64 bits"},
		{"boot by IPv6", func(s *host.Server) { s.Subnets[1].BootFile = "x" }, `boot file: "x" is for an IPv6 network`},
		{"boot server", func(s *host.Server) { s.Subnets[0].BootServer = addr("2001:db8::2") }, "server 2001:db8::2 is not an IPv4 address"},
		{"two boot files", func(s *host.Server) {
			s.Subnets = append(s.Subnets, host.Subnet{Prefix: prefix("10.1.0.1/24"), BootFile: "other"})
		}, `a second boot file "other"`},
		{"srv port", func(s *host.Server) { s.DNS.SRV[0].Port = 65536 }, "65536 is not between 0 and 65535"},
		{"srv without service", func(s *host.Server) { s.DNS.SRV[0].Service = "" }, "has no service or no protocol"},
		{"device that means all", func(s *host.Server) { s.Link = "br*" }, `device of the name "br*"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := full()
			test.change(&s)
			conf, err := dnsmasq.Config(&s, dnsmasq.Files{})
			require.ErrorIs(t, err, fs.ErrInvalid)
			require.ErrorContains(t, err, test.want)
			require.Nil(t, conf)
		})
	}
}

func TestForwarderOnLink(t *testing.T) {
	s := full()
	s.DNS.Forwarders = []host.Forwarder{{Addr: netip.MustParseAddr("fe80::1%br0")}, {Addr: netip.MustParseAddr("::ffff:192.0.2.1")}}
	conf, err := dnsmasq.Config(&s, dnsmasq.Files{KeepUser: true})
	require.NoError(t, err)
	require.Contains(t, string(conf), "server=fe80::1%br0\nserver=192.0.2.1\nno-resolv\n")
	require.Contains(t, string(conf), "user=root\ngroup=\n")
}

func TestManyLeases(t *testing.T) {
	s := full()
	s.Subnets[1].Ranges = []host.Range{{Start: netip.MustParseAddr("2001:db8::"), End: netip.MustParseAddr("2001:db8::ffff:ffff:ffff:ffff")}}
	conf, err := dnsmasq.Config(&s, dnsmasq.Files{})
	require.NoError(t, err)
	require.Contains(t, string(conf), "dhcp-lease-max=1048576\n")
}

func TestReverseZone(t *testing.T) {
	for prefix, want := range map[string]string{
		"192.168.122.1/24": "122.168.192.in-addr.arpa",
		"172.16.0.0/16":    "16.172.in-addr.arpa",
		"10.0.0.0/8":       "10.in-addr.arpa",
		"2001:db8::1/32":   "8.b.d.0.1.0.0.2.ip6.arpa",
		"fd00::/4":         "f.ip6.arpa",
	} {
		got, err := dnsmasq.ReverseZone(netip.MustParsePrefix(prefix))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, prefix := range []string{"10.0.0.0/0", "10.0.0.0/32", "10.0.0.0/25", "fd00::/0", "fd00::/128", "fd00::/63", "::ffff:10.0.0.0/104"} {
		_, err := dnsmasq.ReverseZone(netip.MustParsePrefix(prefix))
		require.ErrorIs(t, err, fs.ErrInvalid, prefix)
	}
	_, err := dnsmasq.ReverseZone(netip.Prefix{})
	require.ErrorIs(t, err, fs.ErrInvalid)
}

func TestParseLacks(t *testing.T) {
	for output, want := range map[string][]string{
		"Dnsmasq version 2.90\nCompile time options: IPv6 no-DBus DHCP no-DHCPv6 no-TFTP\n\nThis software": {"DBus", "DHCPv6", "TFTP"},
		"Dnsmasq version 2.90\nCompile time options: IPv6 DHCP\n":                                          nil,
		"something else": nil,
	} {
		require.Equal(t, want, dnsmasq.ParseLacks(output), output)
	}
}

func TestParseVersion(t *testing.T) {
	for output, want := range map[string]dnsmasq.Version{
		"Dnsmasq version 2.90  Copyright (c) 2000-2024 Simon Kelley\n": {Major: 2, Minor: 90},
		"Dnsmasq version 2.92test20  Copyright\n":                      {Major: 2, Minor: 92},
		"Dnsmasq version v3.0\nmore 9.9":                               {Major: 3, Minor: 0},
		"Dnsmasq version 2.90-4~deb12u1  Copyright":                    {Major: 2, Minor: 90},
		"Dnsmasq version 2.81rc1-3-gabcdef  Copyright":                 {Major: 2, Minor: 81},
		"dnsmasq, Version v2.92\r\n":                                   {Major: 2, Minor: 92},
		"Dnsmasq version 2.90":                                         {Major: 2, Minor: 90},
		"Dnsmasq version UNKNOWN  Copyright":                           {},
		"Dnsmasq version 2.-9":                                         {},
		"Dnsmasq version 99999999999999999999.1":                       {},
		"Dnsmasq version 2.99999999999999999999":                       {},
		"Dnsmasq version ":                                             {},
		"Dnsmasq version \xff\x00":                                     {},
		"Dnsmasq version 2  Copyright":                                 {},
		"something else":                                               {},
		"":                                                             {},
	} {
		require.Equal(t, want, dnsmasq.ParseVersion(output), output)
	}
}
