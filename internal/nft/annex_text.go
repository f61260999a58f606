// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// annexText is the table of an annex as nft reads it; no entry needs none.
func annexText(a annex, filters []host.Filter) string {
	elements := make([][]string, len(a.sets))
	empty := true
	for _, f := range filters {
		list := a.entries(f)
		sortEntries(list)
		for _, e := range list {
			elements[e.set] = append(elements[e.set], entryText(a.sets[e.set], e, f.Network))
			empty = false
		}
	}
	if empty {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "table %s %s {\n", a.family, a.table)
	for i, s := range a.sets {
		word, kind := "set", fieldWords(s.key)
		if s.data != nil {
			word, kind = "map", kind+" : "+fieldWords(s.data)
		}
		fmt.Fprintf(&b, "\t%s %s {\n\t\ttype %s\n", word, s.name, kind)
		if len(elements[i]) > 0 {
			fmt.Fprintf(&b, "\t\telements = { %s }\n", strings.Join(elements[i], ",\n\t\t\t     "))
		}
		b.WriteString("\t}\n\n")
	}
	for _, c := range a.chains {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype %s hook %s priority %s; policy accept;\n", c.name, c.kind, c.hook, c.priority)
		for _, r := range c.rules {
			fmt.Fprintf(&b, "\t\t%s\n", r)
		}
		b.WriteString("\t}\n\n")
	}
	return strings.TrimSuffix(b.String(), "\n") + "}\n"
}

func fieldWords(fields []field) string {
	var words []string
	for _, f := range fields {
		words = append(words, f.word)
	}
	return strings.Join(words, " . ")
}

// entryText writes an element of a set, or of a map.
func entryText(s annexSet, e entry, network string) string {
	text := fmt.Sprintf("%s comment %q", valueText(e.key, s.key), network)
	if s.data != nil {
		text += " : " + valueText(e.data, s.data)
	}
	return text
}

func valueText(value string, fields []field) string {
	var words []string
	for i, v := range split(value, fields) {
		switch fields[i].word {
		case protoField.word:
			words = append(words, host.Proto(v[0]).String())
		case portField.word:
			words = append(words, fmt.Sprint(binary.BigEndian.Uint16(v)))
		case linkField.word:
			words = append(words, quote(strings.TrimRight(string(v), "\x00")))
		default:
			addr, _ := netip.AddrFromSlice(v)
			words = append(words, addr.String())
		}
	}
	return strings.Join(words, " . ")
}
