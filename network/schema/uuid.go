// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/hex"
	"encoding/xml"
	"io"
	"strings"
)

// A UUID names a network, a port or a guest for good. The zero UUID is absent, which is not the same as the one that a
// document gives with zeros only.
type UUID struct {
	b     [16]byte
	given bool
}

// NewUUID returns a random UUID of version 4 made from 16 bytes of random.
func NewUUID(random io.Reader) (UUID, error) {
	u := UUID{given: true}
	if _, err := io.ReadFull(random, u.b[:]); err != nil {
		return UUID{}, err
	}
	u.b[6] = u.b[6]&0x0f | 0x40
	u.b[8] = u.b[8]&0x3f | 0x80
	return u, nil
}

// IsZero reports whether u is absent.
func (u UUID) IsZero() bool { return !u.given }

// Equal reports whether u and v are the same UUID or both absent.
func (u UUID) Equal(v UUID) bool { return u == v }

// Bytes returns the 16 bytes of u, which are zero when absent.
func (u UUID) Bytes() [16]byte { return u.b }

// String returns u in lower case with dashes after 8, 12, 16 and 20 digits.
func (u UUID) String() string {
	b := make([]byte, 0, 36)
	for i, octet := range u.b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, []byte{octet})
	}
	return string(b)
}

// MarshalText returns the same text as String, and nothing when absent.
func (u UUID) MarshalText() ([]byte, error) {
	if u.IsZero() {
		return nil, nil
	}
	return []byte(u.String()), nil
}

// MarshalXMLAttr leaves an absent UUID out.
func (u UUID) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	if u.IsZero() {
		return xml.Attr{}, nil
	}
	return xml.Attr{Name: name, Value: u.String()}, nil
}

// MarshalXML leaves the element of an absent UUID out.
func (u UUID) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if u.IsZero() {
		return nil
	}
	return e.EncodeElement(u.String(), start)
}

// UnmarshalText accepts 32 hexadecimal digits with dashes and spaces between the pairs and white space
// around.
func (u *UUID) UnmarshalText(text []byte) error {
	got, ok := lexUUID(string(text))
	if !ok {
		return &SyntaxError{Kind: "uuid", Text: string(text), Want: "a UUID of 32 hexadecimal digits"}
	}
	*u = got
	return nil
}

// ParseUUID reads text as [UUID.UnmarshalText] does.
func ParseUUID(text string) (UUID, error) {
	var u UUID
	err := u.UnmarshalText([]byte(text))
	return u, err
}

func lexUUID(s string) (u UUID, ok bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	for i := range u.b {
		s = strings.TrimLeft(s, "- ")
		if len(s) < 2 {
			return UUID{}, false
		}
		high, ok1 := hexDigit(s[0])
		low, ok2 := hexDigit(s[1])
		if !ok1 || !ok2 {
			return UUID{}, false
		}
		u.b[i] = high<<4 | low
		s = s[2:]
	}
	u.given = s == ""
	return u, u.given
}
