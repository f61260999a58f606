// SPDX-License-Identifier: Apache-2.0

package xmldoc

import "unicode/utf8"

// appendEscaped appends s as the text of an element or, with attr, as the value of an attribute. What XML
// cannot express is left out if it is a control character and replaced by U+FFFD otherwise.
func appendEscaped(b []byte, s string, attr bool) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if e, special := escape(c, attr); special {
				b = append(append(b, s[from:i]...), e...)
				from = i + 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == 0xfffe || r == 0xffff {
			b = append(append(b, s[from:i]...), "\ufffd"...)
			from = i + n
		}
		i += n
	}
	return append(b, s[from:]...)
}

// escape returns what is written for an ASCII character that is not written as it is. Line ends and tabs
// would not survive in an attribute, nor a carriage return anywhere.
func escape(c byte, attr bool) (e string, special bool) {
	switch c {
	case '&':
		return "&amp;", true
	case '<':
		return "&lt;", true
	case '>':
		return "&gt;", true
	case '"':
		return "&quot;", true
	case '\'':
		return "&apos;", true
	case '\r':
		return "&#13;", true
	case '\n':
		return "&#10;", attr
	case '\t':
		return "&#9;", attr
	}
	return "", c < ' '
}
