// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// tags are what is known of a client, in words of whoever wrote the options.
type tags []string

// has reports whether all of a list of conditions hold. A condition is a tag, or a tag that must not be there behind a "!".
func (t tags) has(conditions []string) bool {
	for _, c := range conditions {
		name, not := strings.CutPrefix(c, "!")
		if slices.Contains(t, name) == not {
			return false
		}
	}
	return true
}

// conditions takes what stands before the first field that is no tag.
func conditions(list []string) (tags, rest []string) {
	for i, f := range list {
		name, ok := strings.CutPrefix(f, "tag:")
		if !ok {
			if name, ok = strings.CutPrefix(f, "net:"); !ok {
				return tags, list[i:]
			}
		}
		tags = append(tags, name)
	}
	return tags, nil
}

// A matcher gives a tag to clients.
type matcher struct {
	tag string
	// code is the option of a client that decides, and value what must be in it. An empty value is anything.
	code  uint16
	is6   bool
	value []byte
	// step is how far apart the places are at which the value is looked for.
	step int
	// card is a pattern of a hardware address, and name one of a name that may end with "*".
	card *cardPattern
	name string
	// when are tags that give this one.
	when []string
}

// matches reports whether a client is one that gets the tag. get returns the value of an option, and whether it is there.
func (m *matcher) matches(mac host.MAC, name string, have tags, is6 bool, get func(code uint16) ([]byte, bool)) bool {
	switch {
	case m.card != nil:
		return m.card.matches(mac)
	case m.name != "":
		if prefix, ok := strings.CutSuffix(m.name, "*"); ok {
			return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
		}
		return strings.EqualFold(name, m.name)
	case m.when != nil:
		return have.has(m.when)
	case m.is6 != is6:
		return false
	}
	data, ok := get(m.code)
	if !ok || len(m.value) == 0 {
		return ok
	}
	for i := 0; i+len(m.value) <= len(data); i += m.step {
		if bytes.Equal(m.value, data[i:i+len(m.value)]) {
			return true
		}
	}
	return false
}

// A cardPattern is a hardware address some bytes of which may be anything.
type cardPattern struct {
	bytes host.MAC
	any   [6]bool
}

// parseCard reads six bytes with colons between them, each of which may be "*".
func parseCard(text string) (*cardPattern, bool) {
	parts := strings.Split(text, ":")
	if len(parts) != len(host.MAC{}) {
		return nil, false
	}
	var p cardPattern
	for i, part := range parts {
		if part == "*" {
			p.any[i] = true
			continue
		}
		b, err := strconv.ParseUint(part, 16, 8)
		if err != nil || len(part) > 2 {
			return nil, false
		}
		p.bytes[i] = byte(b)
	}
	return &p, true
}

// whole is the address of a pattern that fits one only.
func (p *cardPattern) whole() (host.MAC, bool) { return p.bytes, p.any == [6]bool{} }

func (p *cardPattern) matches(mac host.MAC) bool {
	for i := range mac {
		if !p.any[i] && p.bytes[i] != mac[i] {
			return false
		}
	}
	return true
}
