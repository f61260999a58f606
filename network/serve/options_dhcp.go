// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// dhcpDirectives are what options say of DHCP.
type dhcpDirectives struct {
	matchers []matcher
	options  []optionLine
	boots    []bootLine
	hosts    []optionHost
	ranges   []taggedRange
	// ignore are conditions under which a client gets no answer, ignoreNames those under which its name is not known, and
	// broadcast those under which it is answered by broadcasts.
	ignore, ignoreNames, broadcast [][]string
	// rapid lets clients of IPv4 have an address in one exchange: RFC 4039.
	rapid bool
}

// An optionLine is an option for those guests for whom all conditions hold.
type optionLine struct {
	when  []string
	code  uint16
	is6   bool
	value optionValue
	// forced is sent to those who do not ask for it, too.
	forced bool
}

// A bootLine is a program to be loaded by those guests for whom all conditions hold.
type bootLine struct {
	when       []string
	file, name string
	server     netip.Addr
}

// An optionHost is what is known of a client besides the address that it gets.
type optionHost struct {
	card   *cardPattern
	id     string
	name   string
	tags   []string
	lease  host.LeaseTime
	ignore bool
}

// A taggedRange gives a tag to clients with addresses in it.
type taggedRange struct {
	host.Range
	tag string
}

func dhcpOption(forced bool) func(r *optionReader, value string) error {
	return func(r *optionReader, value string) error {
		when, list := conditions(fields(value))
		if len(list) == 0 {
			return malformed("which option?")
		}
		for _, kind := range []string{"vendor:", "encap:", "vi-encap:", "cpewan:"} {
			if strings.HasPrefix(list[0], kind) {
				return unheard("options inside of others are not made here")
			}
		}
		o, is6, err := parseOptionName(list[0])
		if err != nil {
			return err
		}
		line := optionLine{when: when, code: o.code, is6: is6, forced: forced}
		if len(list) > 1 {
			if line.value, err = parseOptionValue(o, is6, list[1:]); err != nil {
				return err
			}
		}
		if n := len(line.value.bytes(netip.Addr{})); !is6 && n > math.MaxUint8 {
			return malformed("the value has %d bytes, more than 255", n)
		}
		r.said.dhcp.options = append(r.said.dhcp.options, line)
		return nil
	}
}

func dhcpBoot(r *optionReader, value string) error {
	when, list := conditions(fields(value))
	if len(list) == 0 || len(list) > 3 {
		return malformed("it is a file, the name of a server and its address")
	}
	line := bootLine{when: when, file: list[0]}
	if len(list) > 1 {
		line.name = list[1]
	}
	if len(list) > 2 {
		addr, err := netip.ParseAddr(list[2])
		if err != nil {
			return unheard("names of servers are not looked up")
		}
		line.server = addr
	}
	r.said.dhcp.boots = append(r.said.dhcp.boots, line)
	return nil
}

// tagged is the tag that a line gives, and the rest of its fields, at least one.
func tagged(value string, least int) (tag string, rest []string, err error) {
	list := fields(value)
	tag, ok := strings.CutPrefix(list[0], "set:")
	if !ok {
		if tag, ok = strings.CutPrefix(list[0], "net:"); !ok {
			tag = list[0] // as it was written once
		}
	}
	if tag == "" || len(list) < least+1 {
		return "", nil, malformed("it gives set:TAG to something")
	}
	return tag, list[1:], nil
}

func dhcpMatch(r *optionReader, value string) error {
	tag, list, err := tagged(value, 1)
	if err != nil {
		return err
	}
	if strings.HasPrefix(list[0], "vi-encap:") || strings.HasPrefix(list[0], "vendor:") || strings.HasPrefix(list[0], "encap:") {
		return unheard("options inside of others are not looked at")
	}
	o, is6, err := parseOptionName(list[0])
	if err != nil {
		return err
	}
	m := matcher{tag: tag, code: o.code, is6: is6, step: 1}
	if len(list) > 1 {
		v, err := parseOptionValue(o, is6, list[1:])
		if err != nil {
			return err
		}
		m.value = v.bytes(netip.Addr{})
		if !v.textual {
			m.step = max(len(m.value), 1)
		}
	}
	r.said.dhcp.matchers = append(r.said.dhcp.matchers, m)
	return nil
}

// dhcpClass gives a tag to clients in one of whose options a text stands.
func dhcpClass(code4, code6 uint16) func(r *optionReader, value string) error {
	return func(r *optionReader, value string) error {
		tag, list, err := tagged(value, 1)
		if err != nil {
			return err
		}
		if strings.HasPrefix(list[0], "enterprise:") {
			list = list[1:]
		}
		text := []byte(strings.Join(list, ","))
		for is6, code := range map[bool]uint16{false: code4, true: code6} {
			r.said.dhcp.matchers = append(r.said.dhcp.matchers, matcher{tag: tag, code: code, is6: is6, value: text, step: 1})
		}
		return nil
	}
}

func dhcpMAC(r *optionReader, value string) error {
	tag, list, err := tagged(value, 1)
	if err != nil {
		return err
	}
	card, ok := parseCard(list[0])
	if !ok {
		return malformed("%q is no hardware address", list[0])
	}
	r.said.dhcp.matchers = append(r.said.dhcp.matchers, matcher{tag: tag, card: card})
	return nil
}

func dhcpNameMatch(r *optionReader, value string) error {
	tag, list, err := tagged(value, 1)
	if err != nil {
		return err
	}
	r.said.dhcp.matchers = append(r.said.dhcp.matchers, matcher{tag: tag, name: list[0]})
	return nil
}

// tagIf gives tags to clients that have others.
func tagIf(r *optionReader, value string) error {
	var set, when []string
	for _, field := range fields(value) {
		if tag, ok := strings.CutPrefix(field, "set:"); ok {
			set = append(set, tag)
		} else if tag, ok := strings.CutPrefix(field, "tag:"); ok {
			when = append(when, tag)
		} else {
			return malformed("%q is neither set:TAG nor tag:TAG", field)
		}
	}
	if len(set) == 0 {
		return malformed("it gives no tag")
	}
	for _, tag := range set {
		r.said.dhcp.matchers = append(r.said.dhcp.matchers, matcher{tag: tag, when: append([]string{}, when...)})
	}
	return nil
}

// dhcpWhen adds conditions to a list of them.
func dhcpWhen(list func(d *dhcpDirectives) *[][]string) func(r *optionReader, value string) error {
	return func(r *optionReader, value string) error {
		var when []string
		if value != "" {
			tagged, rest := conditions(fields(value))
			when = append(tagged, rest...) // the rest is as it was written once
		}
		to := list(&r.said.dhcp)
		*to = append(*to, when)
		return nil
	}
}

// any reports whether the conditions of one of the lists hold.
func (t tags) any(lists [][]string) bool {
	for _, list := range lists {
		if t.has(list) {
			return true
		}
	}
	return false
}

func dhcpLeaseMax(r *optionReader, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return malformed("%q is no number", value)
	}
	r.server.MaxLeases = max(n, 1)
	return nil
}

func tftpRoot(r *optionReader, value string) error {
	list := fields(value)
	if len(list) > 1 && list[1] != r.server.Link {
		return unheard(list[1] + " is not the device of the network")
	}
	r.tftpRoot = list[0]
	return nil
}
