// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// dnsDirectives are what options say of names.
type dnsDirectives struct {
	routes []route
	// records give addresses names that are whole: they are not known in the domain as well.
	records []host.NameRecord
	// aliases are names that stand for others.
	aliases map[string]string
	// reverse are names that say which other name is theirs.
	reverse map[string]string
	// texts are records of several strings.
	texts map[string][][]string
	// ttl is for how long others may remember what is known here, in seconds.
	ttl uint32
	// cached is how many answers are remembered; nil is as many as usual.
	cached *int
	// resolvers is the file that names the servers of the machine; empty is the usual one.
	resolvers string
	// noHosts keeps the names of the machine from guests.
	noHosts bool
}

// dns is what the server knows of names, and nil if it is not to know any.
func (r *optionReader) dns() (*host.DNS, error) {
	if r.server.DNS == nil {
		return nil, unheard("the network serves no names")
	}
	return r.server.DNS, nil
}

// forNames is a reader for lines that are about names.
func forNames(read func(r *optionReader, dns *host.DNS, value string) error) func(r *optionReader, value string) error {
	return func(r *optionReader, value string) error {
		dns, err := r.dns()
		if err != nil {
			return err
		}
		return read(r, dns, value)
	}
}

// domains takes the names between slashes: /a/b/rest. Without a slash there are none.
func domains(value string) (names []string, rest string, ok bool) {
	if !strings.HasPrefix(value, "/") {
		return nil, plain(value), true
	}
	parts := strings.Split(value[1:], "/")
	for _, name := range parts[:len(parts)-1] {
		name = plain(name)
		switch {
		case name == "#":
			name = ""
		case name == "":
			name = plainNames
		default:
			name = canonical(strings.TrimPrefix(strings.TrimPrefix(name, "*"), "."))
		}
		names = append(names, name)
	}
	return names, plain(parts[len(parts)-1]), len(names) > 0
}

// plainNames stands for all names without a dot, where the name of a domain can stand.
const plainNames = "/"

func serverLine(r *optionReader, dns *host.DNS, value string) error {
	names, rest, ok := domains(value)
	if !ok {
		return malformed("a domain stands between slashes")
	}
	if names == nil && rest == "" {
		return malformed("which server?")
	}
	var one route
	switch {
	case rest == "":
		one.local = true
	case rest == "#":
	case strings.ContainsAny(rest, "@"):
		return unheard("the way to a server is not chosen")
	default:
		server, ok := parseServer(rest)
		if !ok {
			return malformed("%q is no address", rest)
		}
		one.servers = []netip.AddrPort{server}
	}
	if names == nil {
		names = []string{""}
	}
	for _, name := range names {
		if name == plainNames && one.local {
			dns.KeepPlainNames = true
			continue
		}
		if name == plainNames {
			return unheard("plain names have no servers of their own")
		}
		one.domain = name
		r.said.dns.routes = append(r.said.dns.routes, one)
	}
	return nil
}

// parseServer reads an address that may have a port behind a "#".
func parseServer(text string) (netip.AddrPort, bool) {
	addrText, portText, given := strings.Cut(text, "#")
	port := uint64(dnsPort)
	if given {
		var err error
		if port, err = strconv.ParseUint(portText, 10, 16); err != nil {
			return netip.AddrPort{}, false
		}
	}
	addr, err := netip.ParseAddr(addrText)
	return netip.AddrPortFrom(addr, uint16(port)), err == nil
}

func addressLine(r *optionReader, _ *host.DNS, value string) error {
	names, rest, ok := domains(value)
	if !ok || names == nil {
		return malformed("a domain stands between slashes")
	}
	one := route{local: rest == "", fixed: true}
	switch addr, err := netip.ParseAddr(rest); {
	case rest == "#":
		one.addrs = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	case rest != "" && err != nil:
		return malformed("%q is no address", rest)
	case rest != "":
		one.addrs = []netip.Addr{addr}
	}
	for _, name := range names {
		if name == plainNames {
			return unheard("plain names have no addresses of their own")
		}
		one.domain = name
		r.said.dns.routes = append(r.said.dns.routes, one)
	}
	return nil
}

// revServer is a server for the names of the addresses of a network.
func revServer(r *optionReader, dns *host.DNS, value string) error {
	list := fields(value)
	prefix, err := netip.ParsePrefix(list[0])
	if addr, errAddr := netip.ParseAddr(list[0]); err != nil && errAddr == nil {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil || len(list) != 2 {
		return malformed("it is a network and a server")
	}
	zone, err := zoneOf(prefix)
	if err != nil {
		return err
	}
	return serverLine(r, dns, "/"+zone+"/"+list[1])
}

func hostRecordLine(r *optionReader, _ *host.DNS, value string) error {
	var names []string
	var addrs []netip.Addr
	for _, field := range fields(value) {
		if addr, err := netip.ParseAddr(field); err == nil {
			addrs = append(addrs, addr)
		} else if _, err := strconv.Atoi(field); err != nil && field != "" {
			names = append(names, field)
		}
	}
	if len(names) == 0 {
		return malformed("it has no name")
	}
	for _, addr := range addrs {
		r.said.dns.records = append(r.said.dns.records, host.NameRecord{Addr: addr, Names: names})
	}
	return nil
}

func cnameLine(r *optionReader, _ *host.DNS, value string) error {
	list := fields(value)
	if n := len(list); n > 2 {
		if _, err := strconv.Atoi(list[n-1]); err == nil {
			list = list[:n-1] // for how long it may be remembered
		}
	}
	if len(list) < 2 {
		return malformed("it is an alias and what it stands for")
	}
	target := canonical(list[len(list)-1])
	for _, alias := range list[:len(list)-1] {
		if strings.HasPrefix(alias, "*") {
			return unheard("an alias is one name, and its target known to the server: address=/DOMAIN/ADDRESS is for all names of a domain")
		}
		r.said.dns.aliases = with(r.said.dns.aliases, canonical(alias), target)
	}
	return nil
}

// with adds to a map that may be nil.
func with[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	if m == nil {
		m = map[K]V{}
	}
	m[key] = value
	return m
}

func ptrLine(r *optionReader, _ *host.DNS, value string) error {
	list := fields(value)
	if len(list) != 2 {
		return malformed("it is a name and what it points to")
	}
	r.said.dns.reverse = with(r.said.dns.reverse, canonical(list[0]), canonical(list[1]))
	return nil
}

func txtLine(r *optionReader, _ *host.DNS, value string) error {
	list := fields(value)
	name := canonical(list[0])
	if len(list) == 1 {
		list = append(list, "")
	}
	var strings []string
	for _, text := range list[1:] {
		strings = append(strings, pieces(text)...)
	}
	r.said.dns.texts = with(r.said.dns.texts, name, append(r.said.dns.texts[name], strings))
	return nil
}

func srvLine(r *optionReader, dns *host.DNS, value string) error {
	list := fields(value)
	labels := strings.SplitN(list[0], ".", 3)
	if len(labels) < 2 || !strings.HasPrefix(labels[0], "_") || !strings.HasPrefix(labels[1], "_") {
		return malformed("%q is no name of a service", list[0])
	}
	one := host.SRVRecord{Service: labels[0][1:], Protocol: labels[1][1:]}
	if len(labels) == 3 {
		one.Domain = labels[2]
	}
	if len(list) > 1 {
		one.Target = list[1]
	}
	for i, field := range list[min(2, len(list)):] {
		n, err := strconv.ParseUint(field, 10, 16)
		if err != nil || i > 2 {
			return malformed("%q is no number", field)
		}
		*[]*int{&one.Port, &one.Priority, &one.Weight}[i] = int(n)
	}
	dns.SRV = append(dns.SRV, one)
	return nil
}

func domainLine(r *optionReader, value string) error {
	list := fields(value)
	if len(list) > 1 {
		return unheard("a domain is for the whole network")
	}
	if list[0] == "#" {
		return unheard("the domain of the machine is not looked up")
	}
	r.server.Domain = list[0]
	return nil
}

// privateZones are the names of addresses that nobody outside can know: RFC 6303.
var privateZones = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/12"),
}

func bogusPriv(r *optionReader, _ *host.DNS, _ string) error {
	zones := privateZones
	for k := range 16 {
		zones = append(zones[:len(zones):len(zones)], netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(16 + k)}), 16))
	}
	for _, prefix := range zones {
		zone, err := zoneOf(prefix)
		if err != nil {
			return err
		}
		r.said.dns.routes = append(r.said.dns.routes, route{domain: zone, local: true, ours: true})
	}
	return nil
}

func cacheSize(r *optionReader, _ *host.DNS, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return malformed("%q is no number", value)
	}
	r.said.dns.cached = &n
	return nil
}

func localTTL(r *optionReader, _ *host.DNS, value string) error {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n > math.MaxInt32 {
		return malformed("%q is no number", value)
	}
	r.said.dns.ttl = uint32(n)
	return nil
}

// listens is for lines that say where to listen: a server does on the addresses of its network.
func listens(r *optionReader, value string) error {
	for _, field := range fields(value) {
		addr, err := netip.ParseAddr(field)
		own := err == nil && addr.IsLoopback() || field == r.server.Link || field == "lo"
		for i := range r.server.Subnets {
			own = own || err == nil && r.server.Subnets[i].Prefix.Addr() == addr
		}
		if !own {
			return unheard("the server listens on the device of its network and nowhere else")
		}
	}
	return nil
}

func portLine(r *optionReader, value string) error {
	switch value {
	case "0":
		r.server.DNS = nil
		return nil
	case "53":
		return nil
	}
	return unheard("names are served at port 53")
}
