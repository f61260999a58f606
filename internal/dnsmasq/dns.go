// SPDX-License-Identifier: Apache-2.0

package dnsmasq

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

func (c *config) dns() error {
	dns := c.server.DNS
	if dns == nil {
		if c.server.NoRouter {
			return c.lines("port=0", "no-resolv")
		}
		return c.lines("port=0")
	}
	if dns.KeepPlainNames {
		if err := c.lines("domain-needed", "local=//"); err != nil {
			return err
		}
	}
	if err := c.forwarders(dns); err != nil {
		return fmt.Errorf("forwarder: %w", err)
	}
	for _, prefix := range dns.LocalZones {
		zone, err := ReverseZone(prefix)
		if err != nil {
			return err
		}
		if err := c.lines("local=/" + zone + "/"); err != nil {
			return err
		}
	}
	if err := c.knownNames(); err != nil {
		return err
	}
	for _, r := range dns.TXT {
		if err := c.txt(r); err != nil {
			return fmt.Errorf("txt record: %w", err)
		}
	}
	for _, r := range dns.SRV {
		if err := c.srv(r); err != nil {
			return fmt.Errorf("srv record: %w", err)
		}
	}
	return nil
}

// forwarders says whom to ask. The machine's own resolvers are not asked if a forwarder for all names is there.
func (c *config) forwarders(dns *host.DNS) error {
	noResolv := dns.NoForward
	for _, f := range dns.Forwarders {
		addr, err := serverAddr(f.Addr)
		if err != nil {
			return err
		}
		if f.Domain == "" {
			if addr == "#" {
				return invalid("neither a domain nor an address")
			}
			noResolv = true
			if err := c.lines("server=" + addr); err != nil {
				return err
			}
			continue
		}
		domain, err := c.domainName(f.Domain)
		if err != nil {
			return err
		}
		if err := c.lines("server=/" + domain + "/" + addr); err != nil {
			return err
		}
	}
	if noResolv {
		return c.lines("no-resolv")
	}
	return nil
}

// serverAddr writes the address of another server, and "#" for those of the machine.
func serverAddr(addr netip.Addr) (string, error) {
	if !addr.IsValid() {
		return "#", nil
	}
	if zone := addr.Zone(); zone != "" {
		if err := host.CheckName(zone); err != nil || strings.ContainsAny(zone, "@#,") {
			return "", invalid("address %q", addr)
		}
	}
	return addr.Unmap().String(), nil
}

// knownNames writes the names of addresses, or where they are.
func (c *config) knownNames() error {
	if c.files.Names == "" {
		return c.names(c.hostRecord)
	}
	check := &config{server: c.server}
	if err := check.names(check.nameLine); err != nil {
		return err
	}
	return c.file("addn-hosts", c.files.Names)
}

// names gives addresses their names: those of the document, and those of hosts with a fixed address, which can then
// be asked for before the host has a lease.
func (c *config) names(write func(host.NameRecord) error) error {
	for _, r := range c.server.DNS.Hosts {
		if err := write(r); err != nil {
			return fmt.Errorf("host %s: %w", r.Addr, err)
		}
	}
	if c.server.DNS.LeasedNames {
		return nil
	}
	for _, subnet := range c.server.Subnets {
		for _, h := range subnet.Hosts {
			if h.Name == "" {
				continue
			}
			if err := write(host.NameRecord{Addr: h.Addr, Names: []string{h.Name}}); err != nil {
				return fmt.Errorf("host %s: %w", h.Addr, err)
			}
		}
	}
	return nil
}

// nameLine writes the line of a file of names. A plain name is known in the domain as well, by expand-hosts.
func (c *config) nameLine(r host.NameRecord) error {
	if !r.Addr.IsValid() || r.Addr.Zone() != "" {
		return invalid("address %q", r.Addr)
	}
	for _, name := range r.Names {
		name, err := c.domainName(name)
		if err != nil {
			return err
		}
		if err := c.line("%s %s", r.Addr.Unmap(), name); err != nil {
			return err
		}
	}
	return nil
}

// hostRecord writes a line for each name. A plain name is known in the domain as well, and in full when asked for by
// address.
func (c *config) hostRecord(r host.NameRecord) error {
	if !r.Addr.IsValid() || r.Addr.Zone() != "" {
		return invalid("address %q", r.Addr)
	}
	for _, name := range r.Names {
		name, err := c.domainName(name)
		if err != nil {
			return err
		}
		names := c.word(name)
		if domain := strings.TrimSuffix(c.server.Domain, "."); domain != "" && !strings.Contains(name, ".") {
			full, err := c.domainName(name + "." + domain)
			if err != nil {
				return err
			}
			names = c.word(full) + "," + names
		}
		if err := c.lines("host-record=" + names + "," + r.Addr.Unmap().String()); err != nil {
			return err
		}
	}
	return nil
}

func (c *config) txt(r host.TXTRecord) error {
	name, err := c.domainName(r.Name)
	if err != nil {
		return err
	}
	if err := checkText(r.Value); err != nil {
		return err
	}
	if r.Value == "" && !c.server.Verbatim {
		return c.lines("txt-record=" + name)
	}
	return c.lines("txt-record=" + name + "," + c.quote(r.Value))
}

func (c *config) srv(r host.SRVRecord) error {
	for _, n := range []int{r.Port, r.Priority, r.Weight} {
		if n < 0 || n > 65535 {
			return invalid("%d is not between 0 and 65535", n)
		}
	}
	name := "_" + r.Service + "._" + r.Protocol
	if r.Domain != "" {
		name += "." + r.Domain
	}
	if (r.Service == "" || r.Protocol == "") && !c.server.Verbatim {
		return invalid("%q has no service or no protocol", name)
	}
	name, err := c.domainName(name)
	if err != nil {
		return err
	}
	if r.Target == "" || r.Target == "." {
		return c.lines("srv-host=" + name)
	}
	target, err := c.domainName(r.Target)
	if err != nil {
		return err
	}
	line := "srv-host=" + name + "," + target
	port := r.Port
	if port == 0 {
		port = 1
	}
	switch {
	case r.Weight != 0:
		line += fmt.Sprintf(",%d,%d,%d", port, r.Priority, r.Weight)
	case r.Priority != 0:
		line += fmt.Sprintf(",%d,%d", port, r.Priority)
	case r.Port != 0:
		line += fmt.Sprintf(",%d", port)
	}
	return c.lines(line)
}
