// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// A sysctl is a kernel parameter that each link has: net/FAMILY/conf/LINK/NAME.
type sysctl struct {
	family host.Family
	name   string
}

var (
	acceptRA           = sysctl{host.IPv6, "accept_ra"}
	disableIPv6        = sysctl{host.IPv6, "disable_ipv6"}
	promoteSecondaries = sysctl{host.IPv4, "promote_secondaries"}
)

// template is the value that the kernel gives a parameter of a new link. The second result is false if there is no such
// parameter, or if this machine does not know it.
func (m *Machine) template(key sysctl) (string, bool) {
	switch key {
	case sysctl{host.IPv4, "forwarding"}:
		return bit(m.ipv4), true
	case sysctl{host.IPv6, "forwarding"}:
		return bit(m.ipv6), true
	case sysctl{host.IPv4, "send_redirects"}, sysctl{host.IPv4, "accept_redirects"}, sysctl{host.IPv6, "accept_redirects"},
		sysctl{host.IPv6, "accept_dad"}, sysctl{host.IPv6, "dad_transmits"},
		sysctl{host.IPv6, "autoconf"}, acceptRA:
		return "1", true
	case sysctl{host.IPv4, "accept_local"}, sysctl{host.IPv4, "arp_announce"}, sysctl{host.IPv4, "arp_ignore"},
		sysctl{host.IPv4, "proxy_arp"}, sysctl{host.IPv4, "route_localnet"}, sysctl{host.IPv4, "rp_filter"},
		sysctl{host.IPv6, "addr_gen_mode"}, sysctl{host.IPv6, "proxy_ndp"}, promoteSecondaries, disableIPv6:
		return "0", true
	}
	return "", false
}

// parseSysctl takes the path of a parameter apart.
func parseSysctl(path string) (key sysctl, link string, ok bool) {
	switch path {
	case "net/ipv4/ip_forward":
		return sysctl{host.IPv4, "forwarding"}, "all", true
	}
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[0] != "net" || parts[2] != "conf" {
		return sysctl{}, "", false
	}
	for _, family := range []host.Family{host.IPv4, host.IPv6} {
		if parts[1] == family.String() {
			return sysctl{family, parts[4]}, parts[3], true
		}
	}
	return sysctl{}, "", false
}

func (s sysctl) path(link string) string {
	return "net/" + s.family.String() + "/conf/" + link + "/" + s.name
}

func (m *Machine) sysctlFacts(scope host.Scope, f *host.Facts) {
	for _, path := range scope.Sysctls {
		if value, ok := m.readSysctl(path); ok {
			f.Sysctls = append(f.Sysctls, host.Sysctl{Key: path, Value: value})
		}
	}
}

// readSysctl knows the parameters of the links, and those of "all" and "default", which nobody can change here.
func (m *Machine) readSysctl(path string) (string, bool) {
	key, name, ok := parseSysctl(path)
	if !ok {
		return "", false
	}
	if name == "all" || name == "default" {
		return m.template(key)
	}
	l := m.links[name]
	if l == nil {
		return "", false
	}
	return m.value(l, key)
}

// value is a parameter of a link.
func (m *Machine) value(l *link, key sysctl) (string, bool) {
	if key.family == host.IPv6 && l.MTU < minIPv6 {
		return "", false
	}
	if value, ok := l.sysctls[key]; ok {
		return value, true
	}
	return m.template(key)
}

// isSet reports whether a parameter of a link is there and not 0.
func (m *Machine) isSet(l *link, key sysctl) bool {
	value, ok := m.value(l, key)
	return ok && value != "0"
}

func (m *Machine) setSysctl(o host.SetSysctl) error {
	if _, ok := m.readSysctl(o.Key); !ok {
		return missing("kernel parameter %s", o.Key)
	}
	number, err := strconv.ParseInt(o.Value, 10, 32)
	key, name, _ := parseSysctl(o.Key)
	if err != nil || key.name == "addr_gen_mode" && (number < 0 || number > 3) {
		return refused("kernel parameter %s=%q", o.Key, o.Value)
	}
	l := m.links[name]
	value := strconv.FormatInt(number, 10)
	if usual, _ := m.template(key); value == usual {
		delete(l.sysctls, key)
	} else {
		l.sysctls[key] = value
	}
	if key == disableIPv6 && number != 0 {
		m.dropIPv6(name)
	}
	return nil
}

func bit(on bool) string {
	if on {
		return "1"
	}
	return "0"
}
