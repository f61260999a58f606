// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// parseTerm reads the time of a lease, of at least two minutes as with dnsmasq.
func parseTerm(field string) (host.LeaseTime, bool) {
	const least = host.LeaseTime(2 * time.Minute)
	if field == "infinite" {
		return host.Infinite, true
	}
	if field == "" || field[0] < '0' || field[0] > '9' {
		return 0, false
	}
	v, err := parseNumber(seconds, field)
	if err != nil {
		return 0, false
	}
	n := uint32(v.data[0])<<24 | uint32(v.data[1])<<16 | uint32(v.data[2])<<8 | uint32(v.data[3])
	if n == math.MaxUint32 {
		return host.Infinite, true
	}
	return max(host.LeaseTime(n)*host.LeaseTime(time.Second), least), true
}

func dhcpHost(r *optionReader, value string) error {
	var known optionHost
	var cards []*cardPattern
	var addrs []netip.Addr
	for _, field := range fields(value) {
		card, isCard := parseCard(strings.TrimPrefix(field, "1-"))
		addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(field, "["), "]"))
		term, isTerm := parseTerm(field)
		kind, rest, _ := strings.Cut(field, ":")
		switch {
		case isCard:
			cards = append(cards, card)
		case err == nil:
			addrs = append(addrs, addr)
		case field == "ignore":
			known.ignore = true
		case isTerm:
			known.lease = term
		case kind == "set" || kind == "net":
			known.tags = append(known.tags, rest)
		case kind == "tag":
			return unheard("hosts with conditions are not told apart")
		case field == "id:*":
			return unheard("what a client calls itself is always looked at")
		case kind == "id":
			known.id = hex.EncodeToString([]byte(rest))
			if data, ok := parseHex(rest); ok {
				known.id = hex.EncodeToString(data)
			}
			known.id = colons(known.id)
		case field != "":
			if known.name != "" {
				return malformed("two names, %q and %q", known.name, field)
			}
			known.name = field
		}
	}
	if len(cards) == 0 && known.id == "" && known.name == "" {
		return malformed("nothing to know the host by")
	}
	return r.addHost(known, cards, addrs)
}

// addHost makes a host known, and gives it its addresses.
func (r *optionReader) addHost(known optionHost, cards []*cardPattern, addrs []netip.Addr) error {
	if len(cards) == 0 {
		cards = []*cardPattern{nil}
	}
	if len(cards) > 1 && len(addrs) > 0 {
		return unheard("an address is for one hardware address")
	}
	for _, card := range cards {
		one := known
		one.card = card
		r.said.dhcp.hosts = append(r.said.dhcp.hosts, one)
	}
	for _, addr := range addrs {
		s := r.subnetOf(addr)
		if s == nil {
			return unheard(addr.String() + " is in none of the networks")
		}
		static := host.StaticHost{DUID: known.id, Name: known.name, Addr: addr, Lease: known.lease}
		if card := cards[0]; card != nil {
			whole, ok := card.whole()
			if !ok {
				return unheard("an address is for one hardware address")
			}
			static.MAC = whole
		}
		s.Hosts = append(s.Hosts, static)
	}
	return nil
}

func dhcpRange(r *optionReader, value string) error {
	list := fields(value)
	var set []string
	for len(list) > 0 {
		tag, ok := strings.CutPrefix(list[0], "set:")
		if strings.HasPrefix(list[0], "tag:") {
			return unheard("ranges with conditions are not told apart")
		}
		if !ok {
			break
		}
		set, list = append(set, tag), list[1:]
	}
	if len(list) == 0 {
		return malformed("a range has a first address")
	}
	first, err := netip.ParseAddr(list[0])
	if err != nil {
		if strings.HasPrefix(list[0], "::") || strings.Contains(list[0], "constructor:") {
			return unheard("ranges follow no other device")
		}
		return malformed("%q is no address", list[0])
	}
	s := r.subnetOf(first)
	if s == nil {
		return unheard(first.String() + " is in none of the networks")
	}
	one := host.Range{Start: first, End: first}
	for i, field := range list[1:] {
		addr, err := netip.ParseAddr(field)
		term, isTerm := parseTerm(field)
		bits, errBits := strconv.Atoi(field)
		switch {
		case i == 0 && err == nil:
			one.End = addr
		case i == 0 && field == "static":
			one.End = netip.Addr{}
		case err == nil && addr.Is4():
			// The mask, or the address of broadcasts: both are those of the network.
		case first.Is6() && errBits == nil && bits <= 128:
			// The length of the network's prefix.
		case isTerm:
			one.Lease = term
		default:
			return unheard("ranges have no mode " + field + " here")
		}
	}
	return r.addRange(s, one, set)
}

// addRange adds a range to a subnet. One without an end hands out no address by itself.
func (r *optionReader) addRange(s *host.Subnet, one host.Range, set []string) error {
	if !one.End.IsValid() {
		return nil
	}
	if !s.Prefix.Contains(one.End) || one.End.Less(one.Start) {
		return malformed("%s to %s is no range of %s", one.Start, one.End, s.Prefix)
	}
	s.Ranges = append(s.Ranges, one)
	for _, tag := range set {
		r.said.dhcp.ranges = append(r.said.dhcp.ranges, taggedRange{one, tag})
	}
	return nil
}
