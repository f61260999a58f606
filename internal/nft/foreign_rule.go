// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// A source is what somebody's rule has put into a register. The zero source is something that is not understood.
type source struct {
	field host.Field
	// word is nft's for it.
	word string
	// index is set where the register has the index of a link, size is how long an address is.
	index bool
	size  int
	mask  string
}

// A ruleReader makes sense of one rule.
type ruleReader struct {
	links     map[uint32]string
	registers map[uint32]source
	family    host.Family
	proto     string
	rule      host.ChainRule
	words     []string
	// maps is the last step that led elsewhere by a map: it makes as many rules as the map has entries.
	branches []host.ChainRule
}

// rules makes sense of a rule. A map that leads elsewhere makes a rule of each of its entries.
func (r *foreign) rules(table place, steps []step) ([]host.ChainRule, error) {
	reader := &ruleReader{links: r.links, registers: map[uint32]source{}, proto: "th"}
	switch table.family {
	case unix.NFPROTO_IPV4:
		reader.family = host.IPv4
	case unix.NFPROTO_IPV6:
		reader.family = host.IPv6
	}
	for _, s := range steps {
		a := readAttrs(s.data)
		if s.name == "lookup" {
			set, err := r.set(place{table.family, table.table, a.text(unix.NFTA_LOOKUP_SET)})
			if err != nil {
				return nil, err
			}
			reader.lookup(&a, set)
			continue
		}
		reader.step(s.name, &a)
	}
	reader.rule.Text = strings.Join(reader.words, " ")
	if reader.branches != nil {
		return reader.branches, nil
	}
	return []host.ChainRule{reader.rule}, nil
}

func (r *ruleReader) say(format string, args ...any) {
	r.words = append(r.words, fmt.Sprintf(format, args...))
}

// unclear notes a condition that is not understood.
func (r *ruleReader) unclear(what string) {
	r.say("[%s]", what)
	r.rule.When = append(r.rule.When, host.Condition{})
}

func (r *ruleReader) step(name string, a *attrs) {
	switch name {
	case "meta":
		if reg := a.number(unix.NFTA_META_DREG); reg != 0 {
			r.registers[reg] = metaSource(a.number(unix.NFTA_META_KEY))
		} else {
			r.say("[sets meta]")
		}
	case "payload":
		if reg := a.number(unix.NFTA_PAYLOAD_DREG); reg != 0 {
			r.registers[reg] = r.header(a)
		} else {
			r.say("[writes into the packet]")
		}
	case "ct":
		if reg := a.number(unix.NFTA_CT_DREG); reg != 0 {
			r.registers[reg] = trackSource(a.number(unix.NFTA_CT_KEY))
		} else {
			r.say("[sets ct]")
		}
	case "bitwise":
		from := r.registers[a.number(unix.NFTA_BITWISE_SREG)]
		from.mask = a.value(unix.NFTA_BITWISE_MASK)
		r.registers[a.number(unix.NFTA_BITWISE_DREG)] = from
	case "cmp":
		from := r.registers[a.number(unix.NFTA_CMP_SREG)]
		op := a.number(unix.NFTA_CMP_OP)
		r.compare(from, op, a.value(unix.NFTA_CMP_DATA))
	case "range":
		r.within(r.registers[a.number(unix.NFTA_RANGE_SREG)], a)
	case "immediate":
		reg := a.number(unix.NFTA_IMMEDIATE_DREG)
		r.registers[reg] = source{}
		if reg == unix.NFT_REG_VERDICT {
			v, _ := readVerdict(a, unix.NFTA_IMMEDIATE_DATA).(verdict)
			r.decide(&r.rule, v)
			r.say("%s", v)
		}
	case "counter", "log", "last", "notrack":
		r.say("%s", name)
	case "reject":
		r.rule.Do = host.Reject
		r.say("reject")
	case "masq", "nat", "redir":
		r.rule.Do = host.Accept
		r.say("%s", map[string]string{"masq": "masquerade", "nat": "[nat]", "redir": "redirect"}[name])
	case "queue", "synproxy", "tproxy", "fwd":
		r.rule.Do = host.Other
		r.say("[%s]", name)
	case "match":
		r.match(a.text(unix.NFTA_MATCH_NAME), a.number(unix.NFTA_MATCH_REV), a.take(unix.NFTA_MATCH_INFO))
	case "target":
		r.target(a.text(unix.NFTA_TARGET_NAME))
	default:
		r.unclear(name)
	}
}

// target is what iptables calls so: most only change the packet.
func (r *ruleReader) target(name string) {
	r.say("[xt target %s]", name)
	switch name {
	case "REJECT":
		r.rule.Do = host.Reject
	case "MASQUERADE", "SNAT", "DNAT", "REDIRECT":
		r.rule.Do = host.Accept
	case "NFQUEUE", "SYNPROXY":
		r.rule.Do = host.Other
	}
}

func (r *ruleReader) decide(rule *host.ChainRule, v verdict) {
	switch v.code {
	case unix.NFT_JUMP:
		rule.Do, rule.To = host.Jump, v.chain
	case unix.NFT_GOTO:
		rule.Do, rule.To = host.Goto, v.chain
	case unix.NFT_RETURN:
		rule.Do = host.Return
	case unix.NFT_CONTINUE:
	case drop:
		rule.Do = host.Drop
	case accept:
		rule.Do = host.Accept
	default:
		rule.Do = host.Other
	}
}

func metaSource(key uint32) source {
	switch key {
	case unix.NFT_META_IIFNAME:
		return source{field: host.In, word: "iifname"}
	case unix.NFT_META_OIFNAME:
		return source{field: host.Out, word: "oifname"}
	case unix.NFT_META_IIF:
		return source{field: host.In, word: "iif", index: true}
	case unix.NFT_META_OIF:
		return source{field: host.Out, word: "oif", index: true}
	case unix.NFT_META_NFPROTO, unix.NFT_META_PROTOCOL:
		return source{field: host.Version, word: "meta protocol"}
	case unix.NFT_META_L4PROTO:
		return source{field: host.Transport, word: "meta l4proto"}
	}
	return source{word: fmt.Sprintf("meta %d", key)}
}

func trackSource(key uint32) source {
	const status = 2
	switch key {
	case unix.NFT_CT_STATE:
		return source{field: host.State, word: "ct state"}
	case status:
		return source{field: host.Forwarded, word: "ct status"}
	}
	return source{word: fmt.Sprintf("ct %d", key)}
}

func (r *ruleReader) header(a *attrs) source {
	base, offset, length := a.number(unix.NFTA_PAYLOAD_BASE), a.number(unix.NFTA_PAYLOAD_OFFSET), int(a.number(unix.NFTA_PAYLOAD_LEN))
	if base == unix.NFT_PAYLOAD_NETWORK_HEADER {
		for _, f := range []struct {
			offset uint32
			size   int
			source source
		}{
			{source4, 4, source{field: host.Source, word: "ip saddr"}}, {dest4, 4, source{field: host.Dest, word: "ip daddr"}},
			{source6, 16, source{field: host.Source, word: "ip6 saddr"}}, {dest6, 16, source{field: host.Dest, word: "ip6 daddr"}},
			{9, -1, source{field: host.Transport, word: "ip protocol"}}, {6, -1, source{field: host.Transport, word: "ip6 nexthdr"}},
		} {
			if f.offset == offset && (f.size >= length && (f.size == 16) == (r.family == host.IPv6) || f.size < 0 && length == 1) {
				f.source.size = f.size
				return f.source
			}
		}
	}
	if base == unix.NFT_PAYLOAD_TRANSPORT_HEADER && length == 2 {
		switch offset {
		case 0:
			return source{field: host.SourcePort, word: r.proto + " sport"}
		case 2:
			return source{field: host.DestPort, word: r.proto + " dport"}
		}
	}
	return source{word: fmt.Sprintf("payload %d of header %d", offset, base)}
}

// compare is a condition on a register.
func (r *ruleReader) compare(from source, op uint32, data string) {
	not := op == unix.NFT_CMP_NEQ
	if op != unix.NFT_CMP_EQ && !not {
		r.unclear(from.word + " in a range")
		return
	}
	if from.mask != "" && (from.field == host.State || from.field == host.Forwarded) {
		// A bit of the mask is set: not zero.
		if !not || !zero([]byte(data)) {
			r.unclear(from.word)
			return
		}
		data, not = from.mask, false
	}
	c := host.Condition{Field: from.field, Not: not}
	if !r.value(&c, from, data) {
		r.unclear(from.word)
		return
	}
	r.condition(from, c)
}

// within is a condition that a register is in a range, which is only understood of ports.
func (r *ruleReader) within(from source, a *attrs) {
	first, last := a.value(unix.NFTA_RANGE_FROM_DATA), a.value(unix.NFTA_RANGE_TO_DATA)
	if from.field != host.SourcePort && from.field != host.DestPort || len(first) != 2 || len(last) != 2 {
		r.unclear(from.word + " in a range")
		return
	}
	r.condition(from, host.Condition{
		Field: from.field, Not: a.number(unix.NFTA_RANGE_OP) == unix.NFT_RANGE_NEQ, Ports: []host.PortRange{readPorts(first, last)},
	})
}

func (r *ruleReader) condition(from source, c host.Condition) {
	r.rule.When = append(r.rule.When, c)
	if c.Field == host.Version && !c.Not && len(c.Families) == 1 {
		r.family = c.Families[0]
		if len(r.rule.When) > 1 || from.word == "meta protocol" {
			// nft adds this itself where it is implied.
			r.say("meta nfproto %s", r.family)
			return
		}
	}
	if c.Field == host.Transport && !c.Not && len(c.Protos) == 1 {
		r.proto = c.Protos[0].String()
	}
	not := ""
	if c.Not {
		not = "!= "
	}
	values := valuesOf(c)
	if len(values) == 1 {
		r.say("%s %s%s", from.word, not, values[0])
	} else {
		r.say("%s %s{ %s }", from.word, not, strings.Join(values, ", "))
	}
}

// value adds a value to a condition. It is false for one that makes no sense.
func (r *ruleReader) value(c *host.Condition, from source, data string) bool {
	number := func() uint32 {
		if len(data) != 4 {
			return 0
		}
		return binary.NativeEndian.Uint32([]byte(data))
	}
	switch from.field {
	case host.In, host.Out:
		c.Names = append(c.Names, r.linkName(from, data))
	case host.Version:
		f, ok := map[string]host.Family{"\x02": host.IPv4, "\x0a": host.IPv6, "\x08\x00": host.IPv4, "\x86\xdd": host.IPv6}[data]
		c.Families = append(c.Families, f)
		return ok
	case host.Transport:
		if len(data) != 1 {
			return false
		}
		c.Protos = append(c.Protos, host.Proto(data[0]))
	case host.Source, host.Dest:
		p, ok := prefixOf(from, data)
		c.Prefixes = append(c.Prefixes, p)
		return ok
	case host.SourcePort, host.DestPort:
		if len(data) != 2 {
			return false
		}
		p := binary.BigEndian.Uint16([]byte(data))
		c.Ports = append(c.Ports, host.PortRange{From: p, To: p})
	case host.State:
		c.States |= host.ConnState(number())
	case host.Forwarded:
		const translated = 1 << 5 // IPS_DST_NAT
		return number() == translated
	default:
		return false
	}
	return true
}

func (r *ruleReader) linkName(from source, data string) string {
	if from.index && len(data) == 4 {
		index := binary.NativeEndian.Uint32([]byte(data))
		if name := r.links[index]; name != "" {
			return name
		}
		return fmt.Sprintf("(link %d)", index)
	}
	name := unix.ByteSliceToString([]byte(data))
	if len(name) == len(data) && len(data) < unix.IFNAMSIZ {
		name += "*"
	}
	return name
}

func prefixOf(from source, data string) (netip.Prefix, bool) {
	bits := len(data) * 8
	if from.mask != "" {
		bits = ones(from.mask)
	}
	b := make([]byte, from.size)
	copy(b, data)
	addr, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.Prefix{}, false
	}
	p, err := addr.Prefix(bits)
	return p, err == nil && p.Addr() == addr
}

func valuesOf(c host.Condition) (words []string) {
	for _, n := range c.Names {
		words = append(words, fmt.Sprintf("%q", n))
	}
	for _, f := range c.Families {
		words = append(words, f.String())
	}
	for _, p := range c.Protos {
		words = append(words, p.String())
	}
	for _, p := range c.Prefixes {
		words = append(words, p.String())
	}
	for _, p := range c.Ports {
		words = append(words, p.String())
	}
	for _, s := range []struct {
		state host.ConnState
		word  string
	}{{host.Established, "established"}, {host.Related, "related"}, {host.New, "new"}, {host.Invalid, "invalid"}, {host.Untracked, "untracked"}} {
		if c.States&s.state != 0 {
			words = append(words, s.word)
		}
	}
	if c.Field == host.Forwarded {
		words = append(words, "dnat")
	}
	return words
}

// lookup is a condition on a register, by a set, or a verdict by a map.
func (r *ruleReader) lookup(a *attrs, set *foreignSet) {
	from := r.registers[a.number(unix.NFTA_LOOKUP_SREG)]
	not := a.number(unix.NFTA_LOOKUP_FLAGS)&lookupInverse != 0
	result := a.number(unix.NFTA_LOOKUP_DREG)
	isMap := slices.ContainsFunc(set.elements, func(e foreignElement) bool { return e.leads != nil })
	if !isMap {
		c := host.Condition{Field: from.field, Not: not}
		clear := !set.ranges && from.mask == ""
		for _, e := range set.elements {
			clear = clear && r.value(&c, from, e.key)
		}
		if !clear || result != 0 || a.values[unix.NFTA_LOOKUP_DREG] != nil {
			r.unclear(from.word + " by a set")
			return
		}
		r.condition(from, c)
		return
	}
	for _, e := range set.elements {
		branch := host.ChainRule{When: slices.Clone(r.rule.When)}
		c := host.Condition{Field: from.field}
		if set.ranges || e.leads == nil || !r.value(&c, from, e.key) {
			c = host.Condition{}
		}
		branch.When = append(branch.When, c)
		words := append(slices.Clone(r.words), from.word, strings.Join(valuesOf(c), ", "))
		if e.leads != nil {
			r.decide(&branch, *e.leads)
			words = append(words, e.leads.String())
		}
		branch.Text = strings.Join(words, " ")
		r.branches = append(r.branches, branch)
	}
}
