// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/servetest"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// options are lines of dnsmasq's configuration, as people write them into the documents of networks.
var options = []string{
	"no-ping",
	"dhcp-match=set:efi,option:client-arch,7", "dhcp-match=set:ipxe,175", "dhcp-vendorclass=set:http,HTTPClient", "dhcp-userclass=set:mine,mine",
	"dhcp-boot=undionly.kpxe", "dhcp-boot=tag:efi,ipxe.efi,boothost,10.9.0.9", `dhcp-boot=tag:ipxe,"http://10.9.0.1/a,b"`,
	"dhcp-option-force=tag:http,60,HTTPClient", "dhcp-option=tag:mine,option:ntp-server,10.9.0.7", "dhcp-option=option:ntp-server,0.0.0.0",
	"dhcp-option=option:domain-search,a.example", "dhcp-option=121,10.2.0.0/16,10.9.0.7", "dhcp-option=3", "dhcp-option-force=224,300",
	"dhcp-option=6,10.9.0.1,10.9.0.2", "dhcp-option=option:mtu,1300", "dhcp-option-force=43,01:02:ff",
	"dhcp-mac=set:blocked,52:54:66:*:*:*", "dhcp-ignore=tag:blocked", "dhcp-name-match=set:old,old*", "dhcp-broadcast=tag:old", "tag-if=set:both,tag:efi,tag:!old",
	"dhcp-option-force=tag:both,225,both",
	"dhcp-host=52:54:00:00:00:31,set:thirty,10.9.0.90,thirty,45m", "dhcp-host=52:54:00:00:00:32,ignore", "dhcp-host=id:me,10.9.0.91", "dhcp-option-force=tag:thirty,226,7s",
	"dhcp-host=52:54:00:00:00:33,infinite",
	"dhcp-option=option6:dns-server,[::],[2001:db8:9::53]", "dhcp-option=option6:domain-search,six.example", "dhcp-option=option6:31,[2001:db8:9::7]",

	"address=/apps.example/10.9.0.1", "address=/bad.example/", "address=/null.example/#", "host-record=rec.example,rec,10.9.0.61,2001:db8:9::61",
	"cname=www.example,alias.example,rec.example", "cname=dangling.example,nobody.example",
	`txt-record=info.example,"a, b",c # d`, "srv-host=_ldap._tcp.example,rec.example,389,1,5", "ptr-record=9.9.9.10.in-addr.arpa,nine.example",
	"local=/corp.example/", "server=/up.example/198.51.100.53", "server=198.51.100.54", "server=/std.example/#", "rev-server=10.77.0.0/16,198.51.100.53",
	"bogus-priv", "domain-needed", "local-ttl=77", "no-resolv",
}

// TestOptionsAlike: what people write as options of dnsmasq is answered in process as by dnsmasq.
func TestOptionsAlike(t *testing.T) {
	t.Parallel()
	var answers []map[string]servetest.Answer
	for _, here := range []bool{false, true} {
		var change []func(*linux.Config)
		if here {
			change = append(change, inProcess)
		}
		p := newPlace(t, change...)
		p.here = here
		servetest.NewUpstream(t, p.ns, netip.MustParseAddr("198.51.100.53"), netip.MustParseAddr("198.51.100.54"))
		op := serve4()
		op.Server.DNS.NoForward = false
		op.Server.Options = options
		op.Server.Subnets = append(op.Server.Subnets, host.Subnet{
			Prefix: netip.MustParsePrefix("2001:db8:9::1/64"),
			Ranges: []host.Range{{Start: netip.MustParseAddr("2001:db8:9::100"), End: netip.MustParseAddr("2001:db8:9::1ff")}},
		})
		do(t, p.Backend, op)
		answers = append(answers, p.optionAnswers(t))
		do(t, p.Backend, op.Inverse())
		p.empty(t)
	}
	for what, dnsmasq := range answers[0] {
		assert.Equal(t, dnsmasq.String(), answers[1][what].String(), what)
	}
	got := answers[1]
	require.Empty(t, got["DHCP, blocked"])
	require.Empty(t, got["DHCP, ignored"])
	require.Equal(t, "undionly.kpxe", got["DHCP, anybody"]["file"])
	require.Equal(t, "ipxe.efi", got["DHCP, efi"]["file"])
	require.Equal(t, "10.9.0.90", got["DHCP, a host"]["yiaddr"])
	require.Equal(t, "rec.example. 77 AResource{A: [4]byte{10, 9, 0, 61}}\n\twww.example. 77 CNAMEResource{CNAME: dnsmessage.MustNewName(\"rec.example.\")}", got["DNS, www.example. A"]["answer"])
}

// optionAnswers are the answers to what the options are about.
func (p *place) optionAnswers(t *testing.T) map[string]servetest.Answer {
	t.Helper()
	guest := testenv.New(t)
	testenv.Connect(t, p.ns, guest, "guest", "eth0")
	p.ns.Output(t, "ip", "link", "set", "guest", "master", "br0")
	station := servetest.NewStation(t, guest, "eth0")
	all := map[string]servetest.Answer{}
	wanted := dhcpv4.WithRequestedOptions(dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionNTPServers, dhcpv4.OptionDNSDomainSearchList,
		dhcpv4.OptionClasslessStaticRoute, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionHostName, dhcpv4.OptionBroadcastAddress)
	generic := func(code uint8, value string) dhcpv4.Modifier {
		return dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), []byte(value)))
	}
	for what, c := range map[string]struct {
		mac  string
		with []dhcpv4.Modifier
	}{
		"anybody":         {"52:54:00:00:00:01", nil},
		"efi":             {"52:54:00:00:00:02", []dhcpv4.Modifier{generic(93, "\x00\x07")}},
		"ipxe":            {"52:54:00:00:00:03", []dhcpv4.Modifier{generic(175, "\x01"), generic(93, "\x00\x07")}},
		"http":            {"52:54:00:00:00:04", []dhcpv4.Modifier{generic(60, "HTTPClient:Arch:00016")}},
		"a class of user": {"52:54:00:00:00:05", []dhcpv4.Modifier{generic(77, "mine")}},
		"an old one":      {"52:54:00:00:00:06", []dhcpv4.Modifier{generic(12, "oldest"), generic(93, "\x00\x07")}},
		"a host":          {"52:54:00:00:00:31", nil},
		"ignored":         {"52:54:00:00:00:32", nil},
		"for ever":        {"52:54:00:00:00:33", nil},
		"an identifier":   {"52:54:00:00:00:07", []dhcpv4.Modifier{generic(61, "me")}},
		"blocked":         {"52:54:66:00:00:01", nil},
	} {
		mac, err := net.ParseMAC(c.mac)
		require.NoError(t, err)
		client := &servetest.Client4{Station: station, MAC: mac, Barrier: netip.MustParseAddr("10.9.0.200")}
		pool := netip.MustParsePrefix("10.9.0.0/27")
		a := client.Ask(client.Packet(dhcpv4.MessageTypeDiscover, append(c.with, wanted)...)).Answer(func(addr netip.Addr) string {
			if pool.Contains(addr) && addr != netip.MustParseAddr("10.9.0.1") {
				return "an address"
			}
			return ""
		})
		delete(a, "option 61") // which dnsmasq does not give back
		all["DHCP, "+what] = a
	}
	six := &servetest.Client6{Station: station, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 9}, Addr: netip.MustParseAddr("fe80::9"), DUID: []byte{0, 3, 0, 1, 2, 0, 0, 0, 0, 9}}
	six.Ready()
	all["DHCPv6"] = six.Ask(dhcpv6.MessageTypeInformationRequest, servetest.Option6(6, []byte{0, 23, 0, 24, 0, 31})).Answer(func(netip.Addr) string { return "" })
	all["router"] = six.Solicit()
	for name, kinds := range map[string][]dnsmessage.Type{
		"a.apps.example.": {dnsmessage.TypeA, dnsmessage.TypeAAAA}, "myapps.example.": {dnsmessage.TypeA}, "www.bad.example.": {dnsmessage.TypeA},
		"x.null.example.": {dnsmessage.TypeA, dnsmessage.TypeAAAA}, "rec.example.": {dnsmessage.TypeA, dnsmessage.TypeAAAA}, "rec.": {dnsmessage.TypeA},
		"61.0.9.10.in-addr.arpa.": {dnsmessage.TypePTR}, "www.example.": {dnsmessage.TypeA, dnsmessage.TypeCNAME}, "alias.example.": {dnsmessage.TypeA},
		"dangling.example.": {dnsmessage.TypeA}, "info.example.": {dnsmessage.TypeTXT}, "_ldap._tcp.example.": {dnsmessage.TypeSRV},
		"9.9.9.10.in-addr.arpa.": {dnsmessage.TypePTR}, "x.corp.example.": {dnsmessage.TypeA}, "x.up.example.": {dnsmessage.TypeA}, "x.std.example.": {dnsmessage.TypeA},
		"x.other.": {dnsmessage.TypeA}, "1.2.77.10.in-addr.arpa.": {dnsmessage.TypePTR}, "1.2.16.172.in-addr.arpa.": {dnsmessage.TypePTR}, "plain.": {dnsmessage.TypeA},
	} {
		for _, kind := range kinds {
			q := servetest.DNSQuestion{Name: name, Type: kind}
			all["DNS, "+q.String()] = servetest.AskDNS(t, p.ns, netip.MustParseAddr("10.9.0.1"), q)
		}
	}
	return all
}
