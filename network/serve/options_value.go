// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// A form is how the value of an option of DHCP is written.
type form uint8

const (
	free form = iota // as it looks
	addresses
	text
	domainNames
	number // of 1, 2, 4 bytes, or as few as it needs
	number1
	number2
	seconds
)

// An optionName is an option of DHCP as the options of dnsmasq call it.
type optionName struct {
	code uint16
	form form
}

// The names that dnsmasq has for options, with the forms of RFC 2132 and its successors.
var (
	names4 = map[string]optionName{
		"netmask": {1, addresses}, "time-offset": {2, seconds}, "router": {3, addresses}, "dns-server": {6, addresses},
		"log-server": {7, addresses}, "lpr-server": {9, addresses}, "boot-file-size": {13, number2}, "domain-name": {15, text},
		"swap-server": {16, addresses}, "root-path": {17, text}, "extension-path": {18, text}, "ip-forward-enable": {19, number1},
		"non-local-source-routing": {20, number1}, "policy-filter": {21, addresses}, "max-datagram-reassembly": {22, number2},
		"default-ttl": {23, number1}, "mtu": {26, number2}, "all-subnets-local": {27, number1}, "router-discovery": {31, number1},
		"router-solicitation": {32, addresses}, "static-route": {33, addresses}, "trailer-encapsulation": {34, number1},
		"arp-timeout": {35, seconds}, "ethernet-encap": {36, number1}, "tcp-ttl": {37, number1}, "tcp-keepalive": {38, seconds},
		"nis-domain": {40, text}, "nis-server": {41, addresses}, "ntp-server": {42, addresses}, "netbios-ns": {44, addresses},
		"netbios-dd": {45, addresses}, "netbios-nodetype": {46, number1}, "netbios-scope": {47, free}, "x-windows-fs": {48, addresses},
		"x-windows-dm": {49, addresses}, "T1": {58, seconds}, "T2": {59, seconds}, "vendor-class": {60, free}, "nis+-domain": {64, text},
		"nis+-server": {65, addresses}, "tftp-server": {66, text}, "bootfile-name": {67, text}, "mobile-ip-home": {68, addresses},
		"smtp-server": {69, addresses}, "pop3-server": {70, addresses}, "nntp-server": {71, addresses}, "irc-server": {74, addresses},
		"user-class": {77, free}, "rapid-commit": {80, free}, "client-arch": {93, number2}, "client-interface-id": {94, free},
		"client-machine-id": {97, free}, "posix-timezone": {100, text}, "tzdb-timezone": {101, text}, "ipv6-only": {108, number},
		"domain-search": {119, domainNames}, "classless-static-route": {121, free}, "tftp-server-address": {150, addresses},
		"server-ip-address": {255, addresses},
	}
	names6 = map[string]optionName{
		"sip-server-domain": {21, domainNames}, "sip-server": {22, addresses}, "dns-server": {23, addresses},
		"domain-search": {24, domainNames}, "nis-server": {27, addresses}, "nis+-server": {28, addresses},
		"nis-domain": {29, domainNames}, "nis+-domain": {30, domainNames}, "sntp-server": {31, addresses},
		"information-refresh-time": {32, seconds}, "posix-timezone": {41, text}, "tzdb-timezone": {42, text},
		"bootfile-url": {59, text},
	}
)

// parseOptionName reads the name or number of an option of DHCP, such as 42, option:ntp-server or option6:dns-server.
func parseOptionName(field string) (o optionName, is6 bool, err error) {
	table := names4
	name, named := strings.CutPrefix(field, "option:")
	if !named {
		if name, is6 = strings.CutPrefix(field, "option6:"); is6 {
			table = names6
		}
	}
	if o, ok := table[name]; ok && (named || is6) {
		return o, is6, nil
	}
	code, err := strconv.ParseUint(name, 10, 16)
	if err != nil || code == 0 || !is6 && code > math.MaxUint8 {
		return o, is6, malformed("%q is no option of DHCP", field)
	}
	for _, known := range table {
		if uint64(known.code) == code {
			return known, is6, nil
		}
	}
	return optionName{code: uint16(code)}, is6, nil
}

// An optionValue is the value of an option of DHCP.
type optionValue struct {
	data []byte
	// addrs are set for addresses, of which an unspecified one is that of the host itself.
	addrs []netip.Addr
	// textual is a value that is part of a longer one.
	textual bool
}

// bytes are the value for guests who know the host by an address.
func (v *optionValue) bytes(own netip.Addr) []byte {
	if v.addrs == nil {
		return v.data
	}
	var b []byte
	for _, a := range v.addrs {
		if a.IsUnspecified() && own.IsValid() {
			a = own
		}
		b = append(b, a.AsSlice()...)
	}
	return b
}

// parseOptionValue reads a value, which may have several fields, as dnsmasq understands it: in the form of the option, or else by
// how it looks.
func parseOptionValue(o optionName, is6 bool, list []string) (optionValue, error) {
	whole := strings.Join(list, ",")
	switch o.form {
	case addresses:
		addrs, ok := parseAddrs(list, is6)
		if !ok {
			return optionValue{}, malformed("%q are no addresses", whole)
		}
		return optionValue{addrs: addrs}, nil
	case text:
		return optionValue{data: []byte(whole), textual: true}, nil
	case domainNames:
		return parseNames(list)
	case number, number1, number2, seconds:
		return parseNumber(o.form, whole)
	}
	const classless, microsoft = 121, 249
	if (o.code == classless || o.code == microsoft) && !is6 {
		return parseRoutes(list)
	}
	if addrs, ok := parseAddrs(list, is6); ok {
		return optionValue{addrs: addrs}, nil
	}
	if v, err := parseNumber(number, whole); err == nil {
		return v, nil
	}
	if data, ok := parseHex(whole); ok {
		return optionValue{data: data}, nil
	}
	return optionValue{data: []byte(whole), textual: true}, nil
}

// parseAddrs reads a list of addresses of one family. Those of IPv6 may have brackets.
func parseAddrs(list []string, is6 bool) (addrs []netip.Addr, ok bool) {
	for _, field := range list {
		if is6 {
			field = strings.TrimSuffix(strings.TrimPrefix(field, "["), "]")
		}
		addr, err := netip.ParseAddr(field)
		if err != nil || addr.Is6() != is6 {
			return nil, false
		}
		addrs = append(addrs, addr)
	}
	return addrs, len(addrs) > 0
}

// parseHex reads bytes in hexadecimal with colons between them, at least two.
func parseHex(s string) ([]byte, bool) {
	parts := strings.Split(s, ":")
	var data []byte
	for _, part := range parts {
		if len(part) == 1 {
			part = "0" + part
		}
		b, err := hex.DecodeString(part)
		if err != nil || len(b) != 1 {
			return nil, false
		}
		data = append(data, b[0])
	}
	return data, len(parts) > 1
}

// parseNumber reads a number, which may have a letter behind it that says its size (b, s, i), or the unit of a time.
func parseNumber(f form, s string) (optionValue, error) {
	size := map[form]int{number1: 1, number2: 2, seconds: 4}[f]
	if n := len(s); f != seconds && n > 1 {
		if letter := strings.IndexByte("bs i", s[n-1]); letter >= 0 && s[n-1] != ' ' {
			size, s = letter+1, s[:n-1]
		}
	}
	unit := int64(1)
	if n := len(s); f == seconds && n > 1 {
		if u := map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}[s[n-1]]; u != 0 {
			unit, s = u, s[:n-1]
		}
	}
	if f == seconds && s == "infinite" {
		s = strconv.FormatInt(math.MaxUint32, 10)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n*unit > math.MaxUint32 || n*unit < math.MinInt32 {
		return optionValue{}, malformed("%q is no number", s)
	}
	n *= unit
	if size == 0 {
		switch size = 4; {
		case n >= 0 && n <= math.MaxUint8:
			size = 1
		case n >= 0 && n <= math.MaxUint16:
			size = 2
		}
	}
	return optionValue{data: binary.BigEndian.AppendUint32(nil, uint32(n))[4-size:]}, nil
}

// parseNames reads domain names. They are written one behind the other, without references to the ones before.
func parseNames(list []string) (optionValue, error) {
	var data []byte
	for _, name := range list {
		wire, ok := wireName(name)
		if !ok {
			return optionValue{}, malformed("%q is no name of a domain", name)
		}
		data = append(data, wire...)
	}
	return optionValue{data: data}, nil
}

// wireName is a domain name as labels with their lengths.
func wireName(name string) ([]byte, bool) {
	var wire []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 {
			return nil, false
		}
		wire = append(append(wire, byte(len(label))), label...)
	}
	return append(wire, 0), len(wire) < 255
}

// parseRoutes reads routes of RFC 3442: a network and its router, and so on.
func parseRoutes(list []string) (optionValue, error) {
	var data []byte
	for i := 0; i < len(list); i += 2 {
		to, err := netip.ParsePrefix(list[i])
		if addr, errAddr := netip.ParseAddr(list[i]); err != nil && errAddr == nil {
			to, err = netip.PrefixFrom(addr, 32), nil
		}
		if err != nil || !to.Addr().Is4() || i+1 == len(list) {
			return optionValue{}, malformed("%q is no route", strings.Join(list[i:], ","))
		}
		via, err := netip.ParseAddr(list[i+1])
		if err != nil || !via.Is4() {
			return optionValue{}, malformed("%q is no router", list[i+1])
		}
		data = append(data, byte(to.Bits()))
		data = append(data, to.Addr().AsSlice()[:(to.Bits()+7)/8]...)
		data = append(data, via.AsSlice()...)
	}
	return optionValue{data: data}, nil
}
