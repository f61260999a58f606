// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"errors"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/network/host"
)

// optioned is the network lan with options, and what they say.
func optioned(t *testing.T, lines ...string) (*host.Server, directives) {
	t.Helper()
	s := lan()
	s.Options = lines
	server, said, warnings, err := readOptions(*s)
	require.NoError(t, err)
	require.Empty(t, warnings)
	return &server, said
}

// TestOptionsOfDHCP: what guests are told, for each option that says something of it.
func TestOptionsOfDHCP(t *testing.T) {
	ntp, search, routes := dhcpv4.OptionNTPServers, dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionClasslessStaticRoute
	all := dhcpv4.WithRequestedOptions(ntp, search, routes, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer)
	class := func(text string) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptClassIdentifier(text)) }
	arch := dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientSystemArchitectureType, []byte{0, 7}))
	for name, c := range map[string]struct {
		lines []string
		with  []dhcpv4.Modifier
		code  dhcpv4.OptionCode
		want  string // nothing is "-"
	}{
		"by number":                       {[]string{"dhcp-option=42,10.1.1.9"}, nil, ntp, "\x0a\x01\x01\x09"},
		"by name":                         {[]string{"dhcp-option=option:ntp-server,10.1.1.9,10.1.1.8"}, nil, ntp, "\x0a\x01\x01\x09\x0a\x01\x01\x08"},
		"the host itself":                 {[]string{"dhcp-option=option:ntp-server,0.0.0.0"}, nil, ntp, "\x0a\x01\x01\x01"},
		"in place of ours":                {[]string{"dhcp-option=3,10.1.1.254"}, nil, dhcpv4.OptionRouter, "\x0a\x01\x01\xfe"},
		"nothing in place of ours":        {[]string{"dhcp-option=3"}, nil, dhcpv4.OptionRouter, "-"},
		"the last counts":                 {[]string{"dhcp-option=6,10.1.1.2", "dhcp-option=6,10.1.1.3"}, nil, dhcpv4.OptionDomainNameServer, "\x0a\x01\x01\x03"},
		"not asked for":                   {[]string{"dhcp-option=43,01:02:03"}, nil, dhcpv4.OptionVendorSpecificInformation, "-"},
		"forced":                          {[]string{"dhcp-option-force=43,01:02:03"}, nil, dhcpv4.OptionVendorSpecificInformation, "\x01\x02\x03"},
		"domains":                         {[]string{"dhcp-option=option:domain-search,a.example,b"}, nil, search, "\x01a\x07example\x00\x01b\x00"},
		"routes":                          {[]string{"dhcp-option=121,10.2.0.0/16,10.1.1.7,0.0.0.0/0,10.1.1.1"}, nil, routes, "\x10\x0a\x02\x0a\x01\x01\x07\x00\x0a\x01\x01\x01"},
		"a text":                          {[]string{`dhcp-option-force=17,"nfs,root" # the root`}, nil, dhcpv4.OptionRootPath, "nfs,root"},
		"a number of two bytes":           {[]string{"dhcp-option-force=26,1300"}, nil, dhcpv4.OptionInterfaceMTU, "\x05\x14"},
		"a number with its size":          {[]string{"dhcp-option-force=224,7i"}, nil, dhcpv4.GenericOptionCode(224), "\x00\x00\x00\x07"},
		"a number as short as it is":      {[]string{"dhcp-option-force=224,300"}, nil, dhcpv4.GenericOptionCode(224), "\x01\x2c"},
		"a time":                          {[]string{"dhcp-option-force=option:T1,2m"}, nil, dhcpv4.OptionRenewTimeValue, "\x00\x00\x00\x78"},
		"with a tag that is not there":    {[]string{"dhcp-option=tag:blue,42,10.1.1.9"}, nil, ntp, "-"},
		"with a tag by the vendor":        {[]string{"dhcp-vendorclass=set:blue,PXE", "dhcp-option=tag:blue,42,10.1.1.9", "dhcp-option=42,10.1.1.8"}, []dhcpv4.Modifier{class("a PXEClient")}, ntp, "\x0a\x01\x01\x09"},
		"without a tag by the vendor":     {[]string{"dhcp-vendorclass=set:blue,PXE", "dhcp-option=tag:!blue,42,10.1.1.9"}, []dhcpv4.Modifier{class("a PXEClient")}, ntp, "-"},
		"with a tag by an option":         {[]string{"dhcp-match=set:efi,option:client-arch,7", "dhcp-option=tag:efi,42,10.1.1.9"}, []dhcpv4.Modifier{arch}, ntp, "\x0a\x01\x01\x09"},
		"with no tag by another value":    {[]string{"dhcp-match=set:efi,option:client-arch,9", "dhcp-option=tag:efi,42,10.1.1.9"}, []dhcpv4.Modifier{arch}, ntp, "-"},
		"with a tag by an option at all":  {[]string{"dhcp-match=set:efi,93", "dhcp-option=tag:efi,42,10.1.1.9"}, []dhcpv4.Modifier{arch}, ntp, "\x0a\x01\x01\x09"},
		"with a tag by the class of user": {[]string{"dhcp-userclass=set:ipxe,iPXE", "dhcp-option=tag:ipxe,42,10.1.1.9"}, []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionUserClassInformation, []byte("iPXE")))}, ntp, "\x0a\x01\x01\x09"},
		"with a tag by the hardware":      {[]string{"dhcp-mac=set:kvm,52:54:00:*:*:*", "dhcp-option=tag:kvm,42,10.1.1.9"}, nil, ntp, "\x0a\x01\x01\x09"},
		"with no tag by other hardware":   {[]string{"dhcp-mac=set:kvm,52:54:01:*:*:*", "dhcp-option=tag:kvm,42,10.1.1.9"}, nil, ntp, "-"},
		"with a tag by the name":          {[]string{"dhcp-name-match=set:web,web*", "dhcp-option=tag:web,42,10.1.1.9"}, []dhcpv4.Modifier{named("Web7")}, ntp, "\x0a\x01\x01\x09"},
		"with a tag by a tag":             {[]string{"dhcp-mac=set:kvm,52:54:00:*:*:*", "tag-if=set:x,tag:kvm,tag:!known", "dhcp-option=tag:x,42,10.1.1.9"}, nil, ntp, "\x0a\x01\x01\x09"},
		"with a tag of a host":            {[]string{"dhcp-host=52:54:00:00:00:07,set:seven", "dhcp-option=tag:seven,tag:known,42,10.1.1.9"}, nil, ntp, "\x0a\x01\x01\x09"},
		"with a tag of a range":           {[]string{"dhcp-range=set:more,10.1.1.30,10.1.1.39", "dhcp-option=tag:more,42,10.1.1.9"}, []dhcpv4.Modifier{wants("10.1.1.33")}, ntp, "\x0a\x01\x01\x09"},
		"with the tag of the device":      {[]string{"dhcp-option=tag:lan0,42,10.1.1.9"}, nil, ntp, "\x0a\x01\x01\x09"},
		"for who is unknown":              {[]string{"dhcp-option=tag:known,42,10.1.1.9"}, nil, ntp, "-"},
		"the time of a range":             {[]string{"dhcp-range=10.1.1.30,10.1.1.39,255.255.255.0,5m"}, []dhcpv4.Modifier{wants("10.1.1.33")}, dhcpv4.OptionIPAddressLeaseTime, "\x00\x00\x01\x2c"},
		"the time of a host":              {[]string{"dhcp-host=52:54:00:00:00:07,infinite"}, nil, dhcpv4.OptionIPAddressLeaseTime, "\xff\xff\xff\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			server, said := optioned(t, c.lines...)
			d := &dhcp4{server: server, said: said.dhcp, book: newBook(server.Subnets, 16, Limits{}.orDefault())}
			out := client(t, d, 7).packet(dhcpv4.MessageTypeDiscover, append([]dhcpv4.Modifier{all}, c.with...)...)
			require.NotNil(t, out)
			got := "-"
			if out.Options.Has(c.code) {
				got = string(out.GetOneOption(c.code))
			}
			require.Equal(t, c.want, got)
		})
	}
}

// TestOptionsOfGuests: who gets an answer, which address, which name, and what to boot.
func TestOptionsOfGuests(t *testing.T) {
	discover := func(t *testing.T, with []dhcpv4.Modifier, lines ...string) *dhcpv4.DHCPv4 {
		server, said := optioned(t, lines...)
		d := &dhcp4{server: server, said: said.dhcp, book: newBook(server.Subnets, 16, Limits{}.orDefault())}
		return client(t, d, 7).packet(dhcpv4.MessageTypeDiscover, with...)
	}
	require.Nil(t, discover(t, nil, "dhcp-ignore=tag:!known"))
	require.NotNil(t, discover(t, nil, "dhcp-ignore=tag:!known", "dhcp-host=52:54:00:00:00:07"))
	require.Nil(t, discover(t, nil, "dhcp-host=52:54:00:00:00:07,ignore"))
	require.NotNil(t, discover(t, nil, "dhcp-host=52:54:00:00:00:08,ignore"))
	require.Equal(t, "10.1.1.77", discover(t, nil, "dhcp-host=52:54:00:00:00:07,10.1.1.77,seven").YourIPAddr.String())
	require.Equal(t, "10.1.1.77", discover(t, []dhcpv4.Modifier{named("seven")}, "dhcp-host=seven,10.1.1.77").YourIPAddr.String())
	require.Equal(t, "10.1.1.77", discover(t, []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte("me")))}, "dhcp-host=id:me,10.1.1.77").YourIPAddr.String())
	require.Equal(t, "seven", discover(t, nil, "dhcp-host=52:54:00:00:00:07,seven").HostName())
	require.True(t, discover(t, nil, "dhcp-broadcast").IsBroadcast())
	require.False(t, discover(t, nil, "dhcp-broadcast=tag:old").IsBroadcast())
	require.Empty(t, discover(t, []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionFQDN, []byte("\x04\x00\x00\x04self")))}, "dhcp-ignore-names").GetOneOption(dhcpv4.OptionFQDN))
	require.Equal(t, dhcpv4.MessageTypeAck, discover(t, []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRapidCommit, nil))}, "dhcp-rapid-commit").MessageType())

	boots := []string{"dhcp-match=set:ipxe,175", "dhcp-vendorclass=set:efi,PXEClient:Arch:00007", "dhcp-boot=undionly.kpxe,boothost,10.1.1.5", "dhcp-boot=tag:efi,ipxe.efi", `dhcp-boot=tag:ipxe,"http://10.1.1.1/a,b"`}
	out := discover(t, nil, boots...)
	require.Equal(t, "undionly.kpxe boothost 10.1.1.5", strings.Join([]string{out.BootFileName, out.ServerHostName, out.ServerIPAddr.String()}, " "))
	out = discover(t, []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00007:UNDI:003016"))}, boots...)
	require.Equal(t, "ipxe.efi 10.1.1.1", out.BootFileName+" "+out.ServerIPAddr.String())
	out = discover(t, []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(175), []byte{1}))}, boots...)
	require.Equal(t, "http://10.1.1.1/a,b", out.BootFileName)
	out = discover(t, []dhcpv4.Modifier{dhcpv4.WithRequestedOptions(dhcpv4.OptionRouter)}, "dhcp-option=67,boot.img", "dhcp-option=66,tftphost", "dhcp-option=option:server-ip-address,10.1.1.6")
	require.Equal(t, "boot.img tftphost 10.1.1.6", strings.Join([]string{out.BootFileName, out.ServerHostName, out.ServerIPAddr.String()}, " "))

	server, _ := optioned(t, "dhcp-lease-max=7", "enable-tftp", "tftp-root=/srv/tftp", "domain=other.example")
	require.Equal(t, "7 /srv/tftp other.example", strings.Join([]string{string(rune('0' + server.MaxLeases)), server.Subnets[0].TFTPRoot, server.Domain}, " "))
	server, _ = optioned(t, "tftp-root=/srv/tftp", "port=0")
	require.Empty(t, server.Subnets[0].TFTPRoot, "files are served if enable-tftp says so")
	require.Nil(t, server.DNS)
}

// TestOptionsOfNames: what is answered, or who is asked, for each option that says something of it.
func TestOptionsOfNames(t *testing.T) {
	for name, c := range map[string]struct {
		line, name string
		kind       dnsmessage.Type
		want       string
	}{
		"address":                        {"address=/apps.example/10.1.1.1", "a.b.apps.example.", dnsmessage.TypeA, "Success 10.1.1.1"},
		"address, the domain itself":     {"address=/apps.example/10.1.1.1", "apps.example.", dnsmessage.TypeA, "Success 10.1.1.1"},
		"address, not beside":            {"address=/apps.example/10.1.1.1", "myapps.example.", dnsmessage.TypeA, "ask []"},
		"address, of the other kind":     {"address=/apps.example/10.1.1.1", "apps.example.", dnsmessage.TypeAAAA, "ask []"},
		"address of nothing":             {"address=/bad.example/", "www.bad.example.", dnsmessage.TypeA, "NameError"},
		"address of nobody":              {"address=/bad.example/#", "www.bad.example.", dnsmessage.TypeAAAA, "Success ::"},
		"address of all":                 {"address=/#/10.1.1.1", "www.anything.", dnsmessage.TypeA, "Success 10.1.1.1"},
		"address of two":                 {"address=/a.example/b.example/10.1.1.1", "www.b.example.", dnsmessage.TypeA, "Success 10.1.1.1"},
		"local":                          {"local=/corp.example/", "www.corp.example.", dnsmessage.TypeA, "NameError"},
		"server":                         {"server=192.0.2.1", "www.example.", dnsmessage.TypeA, "ask [192.0.2.1:53]"},
		"server with a port":             {"server=192.0.2.1#5353", "www.example.", dnsmessage.TypeA, "ask [192.0.2.1:5353]"},
		"server of a domain":             {"server=/corp.example/192.0.2.1", "www.corp.example.", dnsmessage.TypeA, "ask [192.0.2.1:53]"},
		"server of a domain, not of all": {"server=/corp.example/192.0.2.1", "www.example.", dnsmessage.TypeA, "ask []"},
		"server of a domain, local":      {"server=/corp.example/", "www.corp.example.", dnsmessage.TypeA, "NameError"},
		"rev-server":                     {"rev-server=10.2.0.0/16,192.0.2.1", "1.2.2.10.in-addr.arpa.", dnsmessage.TypePTR, "ask [192.0.2.1:53]"},
		"host-record":                    {"host-record=www.example,www,10.1.1.9,fd00::9", "www.example.", dnsmessage.TypeAAAA, "Success fd00::9"},
		"host-record, its address":       {"host-record=www.example,www,10.1.1.9,fd00::9", "9.1.1.10.in-addr.arpa.", dnsmessage.TypePTR, "Success www.example."},
		"host-record, not in the domain": {"host-record=www,10.1.1.9", "www.lan.example.", dnsmessage.TypeA, "ask []"},
		"cname":                          {"cname=www.example,alpha.lan.example", "www.example.", dnsmessage.TypeA, "Success alias alpha.lan.example. 10.1.1.101"},
		"cname of nobody":                {"cname=www.example,nobody.example", "www.example.", dnsmessage.TypeA, "Success alias nobody.example."},
		"ptr-record":                     {"ptr-record=9.1.1.10.in-addr.arpa,nine.example", "9.1.1.10.in-addr.arpa.", dnsmessage.TypePTR, "Success nine.example."},
		"txt-record":                     {`txt-record=info.example,"a, b",c`, "info.example.", dnsmessage.TypeTXT, "Success 4 1"},
		"srv-host":                       {"srv-host=_ldap._tcp.example,alpha.lan.example,389,1,5", "_ldap._tcp.example.", dnsmessage.TypeSRV, "Success 1 5 389 alpha.lan.example. 10.1.1.101"},
		"domain-needed":                  {"domain-needed", "nobody.", dnsmessage.TypeA, "NameError"},
		"bogus-priv":                     {"bogus-priv", "1.2.16.172.in-addr.arpa.", dnsmessage.TypePTR, "NameError"},
		"no-resolv":                      {"no-resolv", "www.example.", dnsmessage.TypeA, "Refused"},
		"listen-address":                 {"listen-address=10.1.1.1", "alpha.", dnsmessage.TypeA, "Success 10.1.1.101"},
	} {
		t.Run(name, func(t *testing.T) {
			server, d := optioned(t, c.line)
			n := newNames(server, &d.dns)
			require.Equal(t, c.want, said(n, asks(t, c.name, c.kind), server.DNS.KeepPlainNames))
		})
	}
	_, d := optioned(t, "cache-size=0", "local-ttl=60", "resolv-file=/etc/other", "no-hosts")
	require.Equal(t, 0, *d.dns.cached)
	require.Equal(t, uint32(60), d.dns.ttl)
	require.Equal(t, "/etc/other", d.dns.resolvers)
	require.True(t, d.dns.noHosts)
}

// TestOptionsWithoutEffect: what has no meaning here is told with its line, and everything else is done.
func TestOptionsWithoutEffect(t *testing.T) {
	s := lan()
	s.Options = []string{"log-dhcp", "dhcp-option=42,10.1.1.9", "cname=*.a.example,alpha", "no-such-thing=7", "listen-address=192.0.2.7", "dhcp-host=52:54:00:00:00:07,192.0.2.1", "strict-order"}
	_, said, warnings, err := readOptions(*s)
	require.NoError(t, err)
	require.Len(t, said.dhcp.options, 1)
	var lines []string
	for _, w := range warnings {
		require.ErrorIs(t, w, errors.ErrUnsupported)
		require.Equal(t, s.Options[w.Index], w.Line)
		require.NotEmpty(t, w.Reason)
		lines = append(lines, w.Line)
	}
	require.Equal(t, []string{"log-dhcp", "cname=*.a.example,alpha", "no-such-thing=7", "listen-address=192.0.2.7", "dhcp-host=52:54:00:00:00:07,192.0.2.1"}, lines)
	require.Equal(t, `option 1 "log-dhcp" has no effect: nothing is written down of each packet`, warnings[0].Error())
	told, err := new(Engine).ReadOptions(*s)
	require.NoError(t, err)
	require.Equal(t, warnings, told)
	require.Equal(t, lan().Subnets, s.Subnets, "the document stays as it is")
}

func TestOptionsMalformed(t *testing.T) {
	for _, line := range []string{
		"dhcp-option", "dhcp-option=", "dhcp-option=nonsense,1", "dhcp-option=300,1", "dhcp-option=3,nowhere", "dhcp-option=option:mtu,many",
		"dhcp-option=121,10.2.0.0/16", "dhcp-option=224," + strings.Repeat("x", 256), "dhcp-boot=", "dhcp-match=set:x", "dhcp-mac=set:x,52:54",
		"dhcp-host=10.1.1.7", "dhcp-range=10.1.1.40,10.1.1.30", "dhcp-lease-max=x", "tag-if=tag:x", "server=nowhere", "address=10.1.1.1",
		"address=/a/nowhere", "host-record=10.1.1.1", "cname=alone", "txt-record=", "srv-host=ldap", "ptr-record=x", "rev-server=10.0.0.0/8", "cache-size=x", "local-ttl=-1",
	} {
		t.Run(line, func(t *testing.T) {
			s := lan()
			s.Options = []string{line}
			_, _, _, err := readOptions(*s)
			require.ErrorIs(t, err, fs.ErrInvalid)
			require.ErrorContains(t, err, line)
		})
	}
}

// TestKeywords: no line both has a meaning and has none.
func TestKeywords(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(unheardOf)) {
		require.NotContains(t, keywords, name)
	}
}

func FuzzOptions(f *testing.F) {
	for _, line := range []string{`dhcp-option=option:domain-search,"a",b # c`, "dhcp-host=52:54:00:*:*:*,set:x,10.1.1.7,5m", "address=/a/b/10.1.1.1", "dhcp-range=10.1.1.30,10.1.1.39,5m", "cname=*.a,b"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s := lan()
		s.Options = []string{line}
		server, said, _, err := readOptions(*s)
		if err != nil {
			return
		}
		d := &dhcp4{server: &server, said: said.dhcp, book: newBook(server.Subnets, 16, Limits{}.orDefault())}
		in, err := dhcpv4.NewDiscovery([]byte{0x52, 0x54, 0, 0, 0, 7})
		require.NoError(t, err)
		if out, _ := d.answer(in, start); out != nil {
			_, err := dhcpv4.FromBytes(out.ToBytes())
			require.NoError(t, err)
		}
		if n := newNames(&server, &said.dns); n != nil {
			n.decide(asks(t, "a.b.", dnsmessage.TypeA), false)
		}
		for _, r := range server.Subnets[0].Ranges {
			require.False(t, r.End.Less(r.Start))
		}
		require.True(t, netip.MustParsePrefix("10.1.1.0/24").Contains(server.Subnets[0].Prefix.Addr()))
	})
}
