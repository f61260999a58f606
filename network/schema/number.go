// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/xml"
	"math"
	"strconv"
)

// A Number is an unsigned number that may be absent. The zero Number is absent, which is not the same
// as [Num](0). In a document it is decimal.
type Number struct {
	n     uint64
	given bool
	minus bool
}

// Num returns the number n.
func Num(n uint64) Number { return Number{n: n, given: true} }

// Given reports whether the document has the number at all.
func (v Number) Given() bool { return v.given }

// Uint returns the number, 0 when absent.
func (v Number) Uint() uint64 { return v.n }

// Or returns the number, or absent when the document does not say.
func (v Number) Or(absent uint64) uint64 {
	if !v.given {
		return absent
	}
	return v.n
}

// Wrapped reports whether the document spells the number with a minus sign, which libvirt folds into
// the range of 32 bits in a few places.
func (v Number) Wrapped() bool { return v.minus }

// String returns the number in decimal, "" when absent.
func (v Number) String() string {
	if !v.given {
		return ""
	}
	return strconv.FormatUint(v.n, 10)
}

// MarshalText returns the same text as String.
func (v Number) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalXMLAttr leaves an absent number out.
func (v Number) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	if !v.given {
		return xml.Attr{}, nil
	}
	return xml.Attr{Name: name, Value: v.String()}, nil
}

// UnmarshalText accepts decimal digits that fit 64 bits, after optional white space and a plus sign.
func (v *Number) UnmarshalText(text []byte) error { return v.read(text, 10, math.MaxUint64, false) }

// A CNumber is a [Number] that a document may spell as the C language does: 0x1f is hexadecimal and
// 010 is octal. It is written in decimal.
type CNumber struct{ Number }

// UnmarshalText accepts a number of any C base that fits 64 bits.
func (v *CNumber) UnmarshalText(text []byte) error { return v.read(text, 0, math.MaxUint64, false) }

// A Number32 is a [Number] of 32 bits for which libvirt takes a minus sign and wraps it: -1 reads
// 4294967295. [Number.Wrapped] tells.
type Number32 struct{ Number }

// UnmarshalText accepts a decimal number, possibly negative, whose magnitude fits 32 bits.
func (v *Number32) UnmarshalText(text []byte) error { return v.read(text, 10, math.MaxUint32, true) }

// A CNumber32 is a [Number32] that a document may spell in any base of the C language.
type CNumber32 struct{ Number }

// UnmarshalText accepts a number of any C base, possibly negative, whose magnitude fits 32 bits.
func (v *CNumber32) UnmarshalText(text []byte) error { return v.read(text, 0, math.MaxUint32, true) }

// read is the lexer of all numbers. The base is 10, or 0 for C's notation.
func (v *Number) read(text []byte, base int, most uint64, wrap bool) error {
	s := string(text)
	for len(s) > 0 && (s[0] == ' ' || '\t' <= s[0] && s[0] <= '\r') {
		s = s[1:]
	}
	minus := false
	if s != "" && (s[0] == '+' || s[0] == '-' && wrap) {
		minus = s[0] == '-'
		s = s[1:]
	}
	if base == 0 {
		s, base = cBase(s)
	}
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil || n > most {
		return &SyntaxError{Kind: "number", Text: string(text), Want: wantNumber(base, most)}
	}
	if minus {
		n = -n & math.MaxUint32
	}
	*v = Number{n: n, given: true, minus: minus}
	return nil
}

// cBase strips the prefix that gives the base of a number in C.
func cBase(s string) (digits string, base int) {
	switch {
	case len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'):
		return s[2:], 16
	case len(s) > 1 && s[0] == '0':
		return s[1:], 8
	}
	return s, 10
}

func wantNumber(base int, most uint64) string {
	want := "a whole number from 0 to " + strconv.FormatUint(most, 10)
	if base == 10 {
		return want
	}
	return want + " in decimal, octal (0...) or hexadecimal (0x...)"
}

// Equal reports whether v and w are the same number or both absent, however they are spelled.
func (v Number) Equal(w Number) bool { return v.n == w.n && v.given == w.given }
