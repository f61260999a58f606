// SPDX-License-Identifier: Apache-2.0

package serve

import "strings"

// In a line of dnsmasq's configuration a character between quotes is itself. Until the line is taken to pieces these stand
// for it, in the part of Unicode that is for private use.
const literal = 0xf0000

var escapes = map[rune]rune{'\\': '\\', '"': '"', 't': '\t', 'n': '\n', 'b': '\b', 'r': '\r', 'e': 0x1b}

// bare is a line without its quotes and its comment: what was between quotes means nothing any more but itself.
func bare(line string) string {
	var b strings.Builder
	quoted, escaped, space := false, false, true
	for _, c := range line {
		switch {
		case escaped:
			escaped = false
			if e, ok := escapes[c]; ok {
				c = e
			} else {
				b.WriteRune('\\' + literal)
			}
			b.WriteRune(c + literal)
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
			b.WriteRune(c + literal)
		case c == '#' && space:
			return b.String()
		default:
			b.WriteRune(c)
		}
		space = c == ' ' || c == '\t'
	}
	return b.String()
}

// plain is a part of a line as text.
func plain(part string) string {
	return strings.Map(func(c rune) rune {
		if c >= literal {
			return c - literal
		}
		return c
	}, part)
}

// fields are the parts between commas.
func fields(value string) []string {
	list := strings.Split(value, ",")
	for i, part := range list {
		list[i] = plain(strings.TrimSpace(part))
	}
	return list
}
