// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// planServer starts the server of a network, if it has an address and anything is to be served: names, addresses,
// files, or the prefix of an IPv6 subnet.
func planServer(n *Network, leases []host.Lease) (host.Plan, error) {
	from, needed := serverNeeded(n)
	if !needed {
		return nil, nil
	}
	s := host.Server{
		Name:     n.UUID.String(),
		Link:     n.Bridge.Name,
		NoRouter: n.Mode() == ForwardNone,
		MTU:      n.mtu(),
		Options:  n.dnsmasqLines(),
	}
	if n.Domain != nil {
		s.Domain, s.LocalDomain = n.Domain.Name.String(), n.Domain.LocalOnly == schema.Yes
	}
	for i := range n.IPs {
		s.Subnets = append(s.Subnets, serverSubnet(&n.IPs[i]))
	}
	if n.DNS.Enabled() {
		dns, err := serverDNS(n)
		if err != nil {
			return nil, err
		}
		s.DNS = dns
	}
	if !slices.ContainsFunc(s.Subnets, func(s host.Subnet) bool { return s.HasDHCP() }) {
		leases = nil
	}
	return host.Plan{{From: from, Op: host.Serve{Server: s, Leases: leases}}}, nil
}

// serverNeeded reports whether there is anything to serve, and what asks for it.
func serverNeeded(n *Network) (from string, needed bool) {
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
		if ip.Family == IPv6 {
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

func serverSubnet(ip *IP) host.Subnet {
	prefix, _ := ip.Prefix()
	s := host.Subnet{Prefix: prefix}
	if ip.TFTP != nil {
		s.TFTPRoot = ip.TFTP.Root
	}
	if ip.DHCP == nil {
		return s
	}
	for _, r := range ip.DHCP.Ranges {
		s.Ranges = append(s.Ranges, host.Range{Start: r.Start.Addr, End: r.End.Addr, Lease: leaseTime(r.Lease)})
	}
	for _, h := range ip.DHCP.Hosts {
		s.Hosts = append(s.Hosts, host.StaticHost{
			MAC: host.MAC(h.MAC.MAC()), DUID: h.ID.String(), Name: h.Name.String(), Addr: h.IP.Addr, Lease: leaseTime(h.Lease),
		})
	}
	if b := ip.DHCP.Bootp; b != nil && prefix.Addr().Is4() {
		s.BootFile, s.BootServer = b.File.String(), b.Server.Addr
	}
	return s
}

func leaseTime(l *Lease) host.LeaseTime {
	d, given := l.Time()
	switch {
	case !given:
		return 0
	case d == 0:
		return host.Infinite
	}
	return host.LeaseTime(d)
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
