// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"encoding/xml"
	"net/netip"
	"strconv"
	"strings"
)

// An Addr is an IPv4 or IPv6 address. The zero Addr is absent.
type Addr struct{ netip.Addr }

// ParseAddr reads text as [Addr.UnmarshalText] does.
func ParseAddr(text string) (Addr, error) {
	var a Addr
	err := a.UnmarshalText([]byte(text))
	return a, err
}

// Given reports whether the document has the address at all.
func (a Addr) Given() bool { return a.Addr.IsValid() }

// String returns the canonical text that libvirt writes, "" when absent. It differs from
// [netip.Addr.String] in one case: an address in ::/96 ends in a dotted quad.
func (a Addr) String() string {
	if !a.IsValid() {
		return ""
	}
	if a.Is6() && !a.Is4In6() {
		b := a.As16()
		if binary.BigEndian.Uint64(b[:8]) == 0 && binary.BigEndian.Uint32(b[8:12]) == 0 &&
			binary.BigEndian.Uint16(b[12:14]) != 0 {
			tail := "::" + netip.AddrFrom4([4]byte(b[12:])).String()
			if a.Zone() != "" {
				tail += "%" + a.Zone()
			}
			return tail
		}
	}
	return a.Addr.String()
}

// Unmap returns the IPv4 address that a stands for in ::ffff:0:0/96, and a itself if it does not.
func (a Addr) Unmap() Addr { return Addr{a.Addr.Unmap()} }

// Equal reports whether a and b are the same address or both absent.
func (a Addr) Equal(b Addr) bool { return a == b }

// MarshalText returns the same text as String.
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// MarshalXMLAttr leaves an absent address out.
func (a Addr) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	if !a.IsValid() {
		return xml.Attr{}, nil
	}
	return xml.Attr{Name: name, Value: a.String()}, nil
}

// UnmarshalText accepts what the C library takes for a numeric host: every textual form of IPv6 with
// an optional %scope, dotted quads, and the old short, octal and hexadecimal forms of IPv4 (10.1 is
// 10.0.0.1, 010.1.1.1 is 8.1.1.1). The scope is the index of a link or, in addresses of one link, its name; which
// links there are is a question to the host.
func (a *Addr) UnmarshalText(text []byte) error {
	s := string(text)
	if got, err := netip.ParseAddr(s); err == nil {
		scoped, ok := inScope(got)
		if !ok {
			return &SyntaxError{Kind: "address", Text: s, Want: "an address whose scope is a link: its index or, for addresses of one link, its name"}
		}
		a.Addr = scoped
		return nil
	}
	got, ok := lexOldIPv4(s)
	if !ok {
		want := "an IPv4 or IPv6 address"
		if strings.Contains(s, "/") {
			want += " without a prefix length"
		}
		return &SyntaxError{Kind: "address", Text: s, Want: want}
	}
	a.Addr = got
	return nil
}

// loopback is the link of the index 1 on every host.
const loopback = "lo"

// inScope returns an IPv6 address with its scope as the C library tells it: an index of 0 is none, and the loopback
// device is told by its name. It is false for what can be no scope of the address.
func inScope(a netip.Addr) (scoped netip.Addr, ok bool) {
	zone := a.Zone()
	if zone == "" {
		return a, true
	}
	ofNode := a.Is6() && a.As16()[0] == 0xff && a.As16()[1]&0xf == 1
	ofLink := !a.Is4In6() && (a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast())
	index, err := strconv.ParseUint(zone, 10, 32)
	switch {
	case err != nil && !ofLink && !ofNode || strings.ContainsAny(zone, "% "):
		return a, false
	case err != nil && '0' <= zone[0] && zone[0] <= '9' && strings.Trim(zone, "0123456789") == "":
		return a, false // too large for an index
	case err != nil && ofNode && zone == loopback:
		return a.WithZone("1"), true
	case err != nil:
		return a, IsDevice(zone)
	case index == 0:
		return a.WithZone(""), true
	case index == 1 && ofLink:
		return a.WithZone(loopback), true
	}
	return a.WithZone(strconv.FormatUint(index, 10)), true
}

// lexOldIPv4 reads the forms of an IPv4 address with one to four parts in any C base, of which the
// last one fills the bytes that are left.
func lexOldIPv4(s string) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var n uint64
	for i, part := range parts {
		digits, base := cBase(part)
		if digits == "" || digits[0] == '+' {
			return netip.Addr{}, false
		}
		v, err := strconv.ParseUint(digits, base, 32)
		if err != nil {
			return netip.Addr{}, false
		}
		width := 8
		if i == len(parts)-1 {
			width = 8 * (4 - i)
		}
		if v >= 1<<width {
			return netip.Addr{}, false
		}
		n = n<<width | v
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	return netip.AddrFrom4(b), true
}

// MaskLen returns the length of the contiguous IPv4 netmask mask, and false when it is none.
func MaskLen(mask netip.Addr) (int, bool) {
	if !mask.Is4() {
		return 0, false
	}
	b := mask.As4()
	n := binary.BigEndian.Uint32(b[:])
	ones := 0
	for ones < 32 && n&(1<<(31-ones)) != 0 {
		ones++
	}
	return ones, n<<ones == 0
}
