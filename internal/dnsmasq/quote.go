// SPDX-License-Identifier: Apache-2.0

package dnsmasq

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is the longest line dnsmasq reads whole, without its end. It takes the rest of a longer one for a line of its
// own.
const maxLine = 1023

// invalid makes the error of a value that cannot be written.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fs.ErrInvalid)...)
}

// checkText refuses what cannot stand in a line, even in quotes: dnsmasq uses the control characters itself to hide
// quoted characters from its parser.
func checkText(text string) error {
	if !utf8.ValidString(text) {
		return invalid("%q is not UTF-8", text)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return invalid("control character in %q", text)
	}
	return nil
}

// quote writes text so that dnsmasq reads it back as one field. The text has passed checkText. There must be nothing
// but a comma or the end of the line behind it.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// quote is the function of that name, where values are not given as they are.
func (c *config) quote(text string) string {
	if c.server.Verbatim {
		return text
	}
	return quote(text)
}

// word is the function of that name, where values are not given as they are.
func (c *config) word(name string) string {
	if c.server.Verbatim {
		return name
	}
	return word(name)
}

// domainName is the function of that name; where values are given as they are, any text of one line is a name.
func (c *config) domainName(name string) (string, error) {
	if c.server.Verbatim {
		return name, checkText(name)
	}
	return domainName(name)
}

// hostName is as domainName.
func (c *config) hostName(name string) (string, error) {
	if c.server.Verbatim {
		return name, checkText(name)
	}
	return hostName(name)
}

// word quotes a name that dnsmasq would take for something else: a number, a time, an address or a word of its own.
func word(name string) string {
	c := name[0] | 0x20
	if (c < 'a' || c > 'z') && c < 0x80 || name == "infinite" || name == "ignore" {
		return quote(name)
	}
	return name
}

// domainName checks a name of DNS, and returns it without the dot at its end. Letters beyond ASCII are left to dnsmasq,
// which writes them as an internationalised name.
func domainName(name string) (string, error) {
	plain := strings.TrimSuffix(name, ".")
	if err := checkText(name); err != nil {
		return "", err
	}
	if len(plain) > 253 {
		return "", invalid("name %q is longer than 253 bytes", name)
	}
	for label := range strings.SplitSeq(plain, ".") {
		if label == "" || len(label) > 63 {
			return "", invalid("name %q has a part of %d bytes, 1 to 63 are allowed", name, len(label))
		}
		if label[0] == '-' {
			return "", invalid("name %q has a part that begins with a dash", name)
		}
		for _, r := range label {
			if r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return "", invalid("name %q has the character %q, only letters, digits, '-', '_' and dots are allowed", name, r)
			}
		}
	}
	return plain, nil
}

// hostName checks a name that a guest gets: its first part is letters and digits, and '-' and '_' inside.
func hostName(name string) (string, error) {
	plain, err := domainName(name)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(plain, ".")
	for i := range len(first) {
		if c := first[i]; c >= 0x80 || i == 0 && c == '_' {
			return "", invalid("host name %q begins with something else than ASCII letters and digits", name)
		}
	}
	return plain, nil
}

// hexBytes is the function of that name with what dnsmasq takes of a DUID.
func (c *config) hexBytes(text string) error {
	if c.server.Verbatim {
		return checkText(text)
	}
	return hexBytes(text, 255)
}

// hexBytes checks text that is at least two hexadecimal bytes with colons between them, and at most that many.
func hexBytes(text string, most int) error {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > most {
		return invalid("%q is not 2 to %d hexadecimal bytes with colons", text, most)
	}
	for _, part := range parts {
		if part == "" || len(part) > 2 || strings.Trim(part, "0123456789abcdefABCDEF") != "" {
			return invalid("%q has the byte %q, which is not hexadecimal", text, part)
		}
	}
	return nil
}
