// SPDX-License-Identifier: Apache-2.0

package dnsmasq

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// maxLeases bounds what a range of IPv6 could ask for.
const maxLeases = 1 << 20

// moreLeases is the step in which static hosts, which may be outside of all ranges, add to the leases: one host more does not
// change the configuration.
const moreLeases = 256

func (c *config) dhcp() error {
	var dhcp4, dhcp6 bool
	leases, hosts := 0, 0
	for _, subnet := range c.server.Subnets {
		is4 := subnet.Prefix.Addr().Is4()
		if subnet.HasDHCP() {
			dhcp4, dhcp6 = dhcp4 || is4, dhcp6 || !is4
		}
		if err := c.subnet(&subnet); err != nil {
			return fmt.Errorf("subnet %s: %w", subnet.Prefix, err)
		}
		leases, hosts = min(leases+leaseCount(&subnet), maxLeases), hosts+len(subnet.Hosts)
	}
	if dhcp4 || dhcp6 {
		leases = min(leases+(hosts/moreLeases+1)*moreLeases, maxLeases)
	}
	var lines []string
	if dhcp4 {
		lines = append(lines, "dhcp-no-override", "dhcp-authoritative")
	}
	if c.server.NoRouter {
		lines = append(lines, "dhcp-option=3", "ra-param=*,0,0")
	}
	if c.server.MTU != 0 {
		lines = append(lines, fmt.Sprintf("dhcp-option=option:mtu,%d", c.server.MTU))
	}
	if (dhcp4 || dhcp6) && c.files.Hosts != "" {
		if err := c.file("dhcp-hostsfile", c.files.Hosts); err != nil {
			return err
		}
	}
	if dhcp6 {
		lines = append(lines, "enable-ra")
	}
	if c.server.MaxLeases != 0 {
		leases = c.server.MaxLeases
	}
	if leases > 0 {
		lines = append(lines, fmt.Sprintf("dhcp-lease-max=%d", leases))
	}
	return c.lines(lines...)
}

// subnet says what is handed out, or that an IPv6 network is advertised where nothing is.
func (c *config) subnet(s *host.Subnet) error {
	addr, bits := s.Prefix.Addr(), s.Prefix.Bits()
	if !s.Prefix.IsValid() || addr.Is4In6() || addr.Zone() != "" {
		return invalid("not a network")
	}
	size := fmt.Sprint(bits)
	if addr.Is4() {
		size = net.IP(net.CIDRMask(bits, 32)).String()
	} else if s.HasDHCP() && bits < 64 && !c.server.Verbatim {
		return invalid("dnsmasq hands out no IPv6 addresses of a network wider than 64 bits")
	}
	for _, r := range s.Ranges {
		if err := c.addressRange(s, r, size); err != nil {
			return fmt.Errorf("range %s-%s: %w", r.Start, r.End, err)
		}
	}
	var err error
	switch {
	case len(s.Ranges) == 0 && len(s.Hosts) > 0 && addr.Is4():
		err = c.line("dhcp-range=%s,static", addr)
	case len(s.Ranges) == 0 && len(s.Hosts) > 0:
		err = c.line("dhcp-range=%s,static,%s", addr, size)
	case !s.HasDHCP() && addr.Is6() && !s.Silent:
		err = c.line("dhcp-range=%s,ra-only", addr)
	}
	if err != nil {
		return err
	}
	if c.files.Hosts != "" {
		return (&config{server: c.server}).staticHosts(s, "") // only to be refused
	}
	return c.staticHosts(s, "dhcp-host=")
}

// staticHosts writes a line for each host of the subnet, behind a keyword.
func (c *config) staticHosts(s *host.Subnet, keyword string) error {
	for _, h := range s.Hosts {
		if err := c.staticHost(keyword, h, s.Prefix.Addr().Is4()); err != nil {
			return fmt.Errorf("host %s: %w", h.Addr, err)
		}
	}
	return nil
}

func (c *config) addressRange(s *host.Subnet, r host.Range, size string) error {
	network := s.Prefix.Masked()
	if !network.Contains(r.Start) || !network.Contains(r.End) || r.End.Less(r.Start) || r.Start.Zone()+r.End.Zone() != "" {
		return invalid("not a range of the network")
	}
	lease, err := leaseTime(r.Lease)
	if err != nil {
		return err
	}
	return c.line("dhcp-range=%s,%s,%s%s", r.Start, r.End, size, lease)
}

func (c *config) staticHost(keyword string, h host.StaticHost, is4 bool) error {
	if !h.Addr.IsValid() || h.Addr.Is4() != is4 || h.Addr.Is4In6() || h.Addr.Zone() != "" {
		return invalid("not an address of the network")
	}
	var fields []string
	if !h.MAC.IsZero() {
		fields = append(fields, h.MAC.String())
	}
	if h.DUID != "" {
		if err := c.hexBytes(h.DUID); err != nil {
			return fmt.Errorf("id: %w", err)
		}
		fields = append(fields, "id:"+h.DUID)
	}
	if h.Name != "" {
		name, err := c.hostName(h.Name)
		if err != nil {
			return err
		}
		fields = append(fields, c.word(name))
	}
	if len(fields) == 0 {
		return invalid("nothing to know it by")
	}
	addr := h.Addr.String()
	if !is4 {
		addr = "[" + addr + "]"
	}
	lease, err := leaseTime(h.Lease)
	if err != nil {
		return err
	}
	return c.line("%s%s,%s%s", keyword, strings.Join(fields, ","), addr, lease)
}

// leaseTime writes the time with its comma in the largest unit that fits, and nothing if it is the server's affair.
func leaseTime(t host.LeaseTime) (string, error) {
	d := time.Duration(t)
	switch {
	case t == 0:
		return "", nil
	case t == host.Infinite || d > math.MaxUint32*time.Second:
		return ",infinite", nil
	case t < 0:
		return "", invalid("lease time %s", d)
	}
	seconds := int64((d + time.Second - 1) / time.Second)
	switch {
	case seconds%3600 == 0:
		return fmt.Sprintf(",%dh", seconds/3600), nil
	case seconds%60 == 0:
		return fmt.Sprintf(",%dm", seconds/60), nil
	}
	return fmt.Sprintf(",%ds", seconds), nil
}

// leaseCount is how many leases there can be besides those of static hosts: an address of a range each.
func leaseCount(s *host.Subnet) int {
	n := 0
	for _, r := range s.Ranges {
		n = min(n+rangeSize(r.Start, r.End), maxLeases)
	}
	return n
}

// rangeSize counts the addresses of a range, up to maxLeases.
func rangeSize(start, end netip.Addr) int {
	a, b := start.As16(), end.As16()
	n := 0
	for i := range a {
		n = n<<8 + int(b[i]) - int(a[i])
		if n > maxLeases {
			return maxLeases
		}
	}
	return n + 1
}

// boot is what a guest needs to start from the network. dnsmasq has one answer for all IPv4 networks.
func (c *config) boot() error {
	boot, roots := "", []string(nil)
	for _, s := range c.server.Subnets {
		if s.BootFile != "" {
			line, err := c.bootLine(&s)
			if err != nil {
				return fmt.Errorf("subnet %s: boot file: %w", s.Prefix, err)
			}
			if boot != "" && boot != line {
				return invalid("subnet %s: a second boot file %q", s.Prefix, s.BootFile)
			}
			boot = line
		}
		if s.TFTPRoot == "" {
			continue
		}
		if err := checkText(s.TFTPRoot); err != nil {
			return fmt.Errorf("subnet %s: tftp: %w", s.Prefix, err)
		}
		roots = append(roots, "tftp-root="+c.quote(s.TFTPRoot))
	}
	if boot != "" {
		if err := c.lines(boot); err != nil {
			return err
		}
	}
	if len(roots) > 0 {
		return c.lines(append([]string{"enable-tftp"}, roots...)...)
	}
	return nil
}

func (c *config) bootLine(s *host.Subnet) (string, error) {
	if !s.Prefix.Addr().Is4() {
		return "", invalid("%q is for an IPv6 network", s.BootFile)
	}
	if err := checkText(s.BootFile); err != nil {
		return "", err
	}
	line := "dhcp-boot=" + c.quote(s.BootFile)
	if !s.BootServer.IsValid() {
		return line, nil
	}
	if !s.BootServer.Is4() {
		return "", invalid("server %s is not an IPv4 address", s.BootServer)
	}
	return line + ",," + s.BootServer.String(), nil
}
