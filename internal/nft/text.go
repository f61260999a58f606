// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// Text is the whole table with these filters, as nft reads it: nft -f FILE. No filters are no table, and no text.
func Text(filters []host.Filter) string {
	filters = slices.Clone(filters)
	filters = slices.DeleteFunc(filters, host.Filter.IsZero)
	slices.SortFunc(filters, func(a, b host.Filter) int { return cmp.Compare(a.Network, b.Network) })
	if len(filters) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", Table)
	for l := range lists {
		mapText(&b, l, filters)
	}
	for _, base := range bases() {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype %s hook %s priority %s; policy accept;\n", base.name, base.kind, base.hook, base.priority)
		for _, lead := range base.leads {
			fmt.Fprintf(&b, "\t\t%s vmap @%s\n", ifname(lead.out), lead.to)
		}
		b.WriteString("\t}\n\n")
	}
	for _, f := range filters {
		for l := range lists {
			chainText(&b, l, f)
		}
	}
	text := strings.TrimSuffix(b.String(), "\n") + "}\n"
	for _, a := range annexes {
		text += annexText(a, filters)
	}
	return text
}

func ifname(out bool) string {
	if out {
		return "oifname"
	}
	return "iifname"
}

func mapText(b *strings.Builder, l list, filters []host.Filter) {
	fmt.Fprintf(b, "\tmap %s {\n\t\ttype ifname : verdict\n", l)
	var elements []string
	for _, f := range filters {
		elements = append(elements, fmt.Sprintf("%s : jump %s", quote(f.Link), l.chain(f.Network)))
	}
	fmt.Fprintf(b, "\t\telements = { %s }\n\t}\n\n", strings.Join(elements, ",\n\t\t\t     "))
}

func chainText(b *strings.Builder, l list, f host.Filter) {
	fmt.Fprintf(b, "\tchain %s {\n", l.chain(f.Network))
	if l == nat {
		fmt.Fprintf(b, "\t\toifname %s return\n", quote(f.Link))
	}
	for _, r := range l.rules(f) {
		fmt.Fprintf(b, "\t\t%s\n", ruleText(r))
	}
	b.WriteString("\t}\n\n")
}

// quote writes the name of a link. nft takes an asterisk at its end for any rest.
func quote(link string) string {
	if rest, ok := strings.CutSuffix(link, "*"); ok {
		link = rest + `\*`
	}
	return `"` + link + `"`
}

// ruleText writes the conditions in the order in which [program] tests them.
func ruleText(r host.Rule) string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	family := func() { add("meta nfproto %s", r.Family) }
	if r.Family != host.AnyFamily {
		family()
	}
	if r.In != "" {
		add("iifname %s", quote(r.In))
	}
	if r.Out != "" {
		add("oifname %s", quote(r.Out))
	}
	prefixes := r.Src.IsValid() || r.Dst.IsValid() || r.NotDst.IsValid()
	if r.Family != host.AnyFamily && prefixes {
		// nft adds this itself where no family was named.
		family()
	}
	for _, m := range []struct {
		field  string
		prefix netip.Prefix
	}{{"saddr", r.Src}, {"daddr", r.Dst}, {"daddr !=", r.NotDst}} {
		if m.prefix.IsValid() {
			add("%s %s %s", familyWord(m.prefix.Addr()), m.field, m.prefix)
		}
	}
	if r.Proto != host.AnyProto {
		add("meta l4proto %d", uint8(r.Proto))
	}
	if r.DstPorts != (host.PortRange{}) {
		add("th dport %s", r.DstPorts)
	}
	if r.Established {
		add("ct state established,related")
	}
	if r.Forwarded {
		add("ct status dnat")
	}
	return strings.Join(append(words, "counter", verdictText(r)), " ")
}

func verdictText(r host.Rule) string {
	ports := ""
	if r.Ports != (host.PortRange{}) {
		ports = ":" + r.Ports.String()
	}
	switch r.Do {
	case host.Reject:
		return "reject with icmpx port-unreachable"
	case host.Masquerade:
		if ports != "" {
			return "masquerade to " + ports
		}
	case host.SNAT:
		return fmt.Sprintf("snat %s to %s%s", familyWord(r.Addrs.From), addrsText(r.Addrs, ports != ""), ports)
	}
	return string(r.Do)
}

// addrsText writes a range of addresses; those of IPv6 stand in brackets if ports follow.
func addrsText(r host.AddrRange, ports bool) string {
	one := func(a netip.Addr) string {
		if ports && a.Is6() {
			return "[" + a.String() + "]"
		}
		return a.String()
	}
	if r.From == r.To {
		return one(r.From)
	}
	return one(r.From) + "-" + one(r.To)
}

func familyWord(addr netip.Addr) string {
	if addr.Is4() {
		return "ip"
	}
	return "ip6"
}
