// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// planServer starts the server of a network, if it has an address and anything is to be served: names, addresses,
// files, or the prefix of an IPv6 subnet.
func planServer(rules schema.Rules, n *Network, leases []host.Lease) (host.Plan, error) {
	from, needed := serverNeeded(rules, n)
	if !needed {
		return nil, nil
	}
	if err := checkTFTP(rules, n); err != nil {
		return nil, err
	}
	s := host.Server{
		Name:     n.UUID.String(),
		Link:     n.Bridge.Name,
		NoRouter: n.Mode() == ForwardNone,
		MTU:      n.mtu(),
		Options:  n.dnsmasqLines(),
		Verbatim: rules.Skips(ServerValues),
	}
	if rules.Skips(HostLeases) {
		s.MaxLeases = rangeLeases(n)
	}
	if n.Domain != nil {
		s.Domain, s.LocalDomain = n.Domain.Name.String(), n.Domain.LocalOnly == schema.Yes
	}
	for i := range n.IPs {
		s.Subnets = append(s.Subnets, serverSubnet(rules, n, &n.IPs[i]))
	}
	if n.DNS.Enabled() {
		dns, err := serverDNS(n)
		if err != nil {
			return nil, err
		}
		dns.LeasedNames = rules.Skips(HostNames)
		s.DNS = dns
	}
	if !slices.ContainsFunc(s.Subnets, func(s host.Subnet) bool { return s.HasDHCP() }) {
		leases = nil
	}
	return host.Plan{{From: from, Op: host.Serve{Server: s, Leases: leases}}}, nil
}

// serverNeeded reports whether there is anything to serve, and what asks for it.
func serverNeeded(rules schema.Rules, n *Network) (from string, needed bool) {
	for i := range n.IPs {
		ip := &n.IPs[i]
		if d := ip.DHCP; d != nil && len(d.Ranges)+len(d.Hosts) > 0 {
			return ipPath(i) + "/dhcp", true
		}
	}
	for i := range n.IPs {
		ip := &n.IPs[i]
		if ip.TFTP != nil && ip.TFTP.Root != "" {
			return ipPath(i) + "/tftp", true
		}
		if ip.Family == IPv6 && !rules.Skips(Advertised) && n.advertises(rules, ip) {
			return ipPath(i), true
		}
	}
	return "/network/dns", len(n.IPs) > 0 && n.DNS.Enabled()
}

func (n *Network) dnsmasqLines() []string {
	if n.DnsmasqOptions == nil {
		return nil
	}
	var lines []string
	for i := range n.DnsmasqOptions.Options {
		lines = append(lines, n.DnsmasqOptions.Options[i].Value.String())
	}
	return lines
}

// checkTFTP refuses what dnsmasq cannot serve: it has one folder, and runs nowhere.
func checkTFTP(rules schema.Rules, n *Network) error {
	if rules.Skips(OneTFTP) {
		return nil
	}
	root := ""
	for i := range n.IPs {
		t := n.IPs[i].TFTP
		switch {
		case t == nil || t.Root == "":
		case t.Root[0] != '/':
			return fail(fs.ErrInvalid, "%s/tftp/@root: %q is not absolute", ipPath(i), t.Root)
		case root != "" && t.Root != root:
			return fail(errors.ErrUnsupported, "%s/tftp/@root: %q is a second folder besides %q, and only one can be served", ipPath(i), t.Root, root)
		default:
			root = t.Root
		}
	}
	return nil
}

// rangeLeases is how many leases libvirt allows: as many as there are addresses in ranges, and with none, what dnsmasq does.
func rangeLeases(n *Network) int {
	var sum uint64
	for i := range n.IPs {
		if n.IPs[i].DHCP == nil {
			continue
		}
		for _, r := range n.IPs[i].DHCP.Ranges {
			if r.Start.Given() && r.End.Given() {
				sum = min(sum+rangeSize(r.Start.Addr, r.End.Addr), math.MaxInt32)
			}
		}
	}
	if sum == 0 {
		return -1
	}
	return int(sum)
}

// advertises reports whether an IPv6 subnet is advertised in which nothing is handed out: it is if guests can choose addresses
// in it. libvirt advertises all, unless anything is handed out in another one.
func (n *Network) advertises(rules schema.Rules, ip *IP) bool {
	if !rules.Skips(Advertised) {
		prefix, ok := ip.Prefix()
		return ok && prefix.Bits() <= 64
	}
	return !slices.ContainsFunc(n.IPs, func(ip IP) bool { return ip.Family == IPv6 && ip.DHCP.serves() })
}

// serves reports whether there is DHCP. A nil DHCP is none.
func (d *DHCP) serves() bool { return d != nil && len(d.Ranges)+len(d.Hosts) > 0 }

func serverSubnet(rules schema.Rules, n *Network, ip *IP) host.Subnet {
	prefix, _ := ip.Prefix()
	s := host.Subnet{Prefix: prefix}
	s.Silent = ip.Family == IPv6 && !n.advertises(rules, ip)
	if ip.TFTP != nil {
		s.TFTPRoot = ip.TFTP.Root
	}
	if ip.DHCP == nil {
		return s
	}
	for _, r := range ip.DHCP.Ranges {
		s.Ranges = append(s.Ranges, host.Range{Start: r.Start.Addr, End: r.End.Addr, Lease: leaseTime(rules, r.Lease)})
	}
	for _, h := range ip.DHCP.Hosts {
		static := host.StaticHost{
			MAC: host.MAC(h.MAC.MAC()), DUID: h.ID.String(), Name: h.Name.String(), Addr: h.IP.Addr, Lease: leaseTime(rules, h.Lease),
		}
		if ip.Family != IPv6 && rules.Skips(HostID) {
			static.DUID = ""
		}
		s.Hosts = append(s.Hosts, static)
	}
	if b := ip.DHCP.Bootp; b != nil && prefix.Addr().Is4() && ip.DHCP.serves() {
		s.BootFile, s.BootServer = b.File.String(), b.Server.Addr
	}
	return s
}

// leaseTime is the time of a lease. dnsmasq counts it in seconds of 32 bits, in which libvirt lets it wrap.
func leaseTime(rules schema.Rules, l *Lease) host.LeaseTime {
	d, given := l.Time()
	switch {
	case !given:
		return 0
	case rules.Skips(LongLease) && l.Expiry.Uint() != 0:
		return l.wrapped()
	case d == 0:
		return host.Infinite
	}
	return host.LeaseTime(d)
}

// wrapped is the time that dnsmasq reads from the number and the letter of the unit: the number as a long of C, cut to 32
// bits, times the unit, cut to 32 bits again. All ones is for ever, and less than two minutes are two minutes.
func (l *Lease) wrapped() host.LeaseTime {
	unit := uint32(60)
	switch l.Unit {
	case Seconds:
		unit = 1
	case Hours:
		unit = 3600
	}
	seconds := uint32(min(l.Expiry.Uint(), math.MaxInt64)) * unit
	if seconds == math.MaxUint32 {
		return host.Infinite
	}
	return host.LeaseTime(max(time.Duration(seconds), 120) * time.Second)
}

func serverDNS(n *Network) (*host.DNS, error) {
	d := &host.DNS{NoForward: n.Mode() == ForwardNone}
	for i := range n.IPs {
		if n.IPs[i].LocalPTR != schema.Yes {
			continue
		}
		prefix, _ := n.IPs[i].Prefix()
		if err := checkReverseZone(prefix); err != nil {
			return nil, fmt.Errorf("%s/@localPtr: %w", ipPath(i), err)
		}
		d.LocalZones = append(d.LocalZones, prefix.Masked())
	}
	if n.DNS == nil {
		return d, nil
	}
	d.KeepPlainNames = n.DNS.ForwardPlainNames == schema.No
	for _, f := range n.DNS.Forwarders {
		d.Forwarders = append(d.Forwarders, host.Forwarder{Domain: f.Domain.String(), Addr: f.Addr.Addr})
	}
	for _, h := range n.DNS.Hosts {
		d.Hosts = append(d.Hosts, host.NameRecord{Addr: h.IP.Addr, Names: slices.Clone(h.Hostnames)})
	}
	for _, t := range n.DNS.TXTs {
		d.TXT = append(d.TXT, host.TXTRecord{Name: t.Name.String(), Value: t.Value.String()})
	}
	for _, s := range n.DNS.SRVs {
		d.SRV = append(d.SRV, host.SRVRecord{
			Service: s.Service.String(), Protocol: s.Protocol.String(), Domain: s.Domain.String(), Target: s.Target.String(),
			Port: int(s.Port.Uint()), Priority: int(s.Priority.Uint()), Weight: int(s.Weight.Uint()),
		})
	}
	return d, nil
}

// checkReverseZone refuses a subnet that has no reverse zone of its own.
func checkReverseZone(prefix netip.Prefix) error {
	bits := prefix.Bits()
	if prefix.Addr().Is4() && (bits%8 != 0 || bits < 8 || bits > 24) {
		return fmt.Errorf("an IPv4 subnet needs a prefix of 8, 16 or 24 for a reverse zone, not %d: %w", bits, fs.ErrInvalid)
	}
	if bits%4 != 0 || bits < 4 || bits > 124 {
		return fmt.Errorf("an IPv6 subnet needs a prefix that is a multiple of 4 from 4 to 124 for a reverse zone, not %d: %w", bits, fs.ErrInvalid)
	}
	return nil
}
