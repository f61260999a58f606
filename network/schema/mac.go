// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/hex"
	"encoding/xml"
)

// A MAC is the hardware address of an Ethernet device. The zero MAC is absent.
type MAC [6]byte

// IsZero reports whether m is absent.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsMulticast reports whether m names a group and not a device.
func (m MAC) IsMulticast() bool { return m[0]&1 != 0 }

// String returns six groups of two lower-case digits separated by colons.
func (m MAC) String() string {
	b := make([]byte, 0, 17)
	for i, octet := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = hex.AppendEncode(b, []byte{octet})
	}
	return string(b)
}

// MarshalText returns the same text as String, and nothing when absent.
func (m MAC) MarshalText() ([]byte, error) {
	if m.IsZero() {
		return nil, nil
	}
	return []byte(m.String()), nil
}

// MarshalXMLAttr leaves an absent address out.
func (m MAC) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	if m.IsZero() {
		return xml.Attr{}, nil
	}
	return xml.Attr{Name: name, Value: m.String()}, nil
}

// UnmarshalText accepts six groups of one or two hexadecimal digits separated by colons.
func (m *MAC) UnmarshalText(text []byte) error {
	got, rest, ok := lexMAC(string(text))
	if !ok || rest != "" {
		return noMAC(text)
	}
	*m = got
	return nil
}

// UnmarshalLax reads text as libvirt does, which ignores what follows white space after the sixth group.
func (m *MAC) UnmarshalLax(text []byte) error {
	got, _, ok := lexMAC(string(text))
	if !ok {
		return noMAC(text)
	}
	*m = got
	return nil
}

func noMAC(text []byte) error {
	return &SyntaxError{Kind: "mac", Text: string(text), Want: "a MAC address such as 52:54:00:0a:0b:0c"}
}

// ParseMAC reads text as [MAC.UnmarshalText] does.
func ParseMAC(text string) (MAC, error) {
	var m MAC
	err := m.UnmarshalText([]byte(text))
	return m, err
}

// lexMAC reads the address that s begins with, and returns what follows it.
func lexMAC(s string) (m MAC, rest string, ok bool) {
	for i := range m {
		if i > 0 {
			if s == "" || s[0] != ':' {
				return MAC{}, s, false
			}
			s = s[1:]
		}
		digits := 0
		for digits < len(s) && digits < 2 {
			d, isHex := hexDigit(s[digits])
			if !isHex {
				break
			}
			m[i] = m[i]<<4 | d
			digits++
		}
		if digits == 0 {
			return MAC{}, s, false
		}
		s = s[digits:]
	}
	return m, s, s == "" || s[0] <= ' '
}

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// A MACText is a hardware address in the spelling of the document, for the places that keep it. The
// zero MACText, "", is absent.
type MACText string

// MAC returns the address, the zero MAC when absent or not an address.
func (t MACText) MAC() MAC {
	m, _, _ := lexMAC(string(t))
	return m
}

// String returns the spelling.
func (t MACText) String() string { return string(t) }

// UnmarshalText accepts what [MAC.UnmarshalLax] accepts and keeps the spelling.
func (t *MACText) UnmarshalText(text []byte) error {
	if _, _, ok := lexMAC(string(text)); !ok {
		return noMAC(text)
	}
	*t = MACText(text)
	return nil
}
