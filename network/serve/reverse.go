// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/netip"
	"strconv"
	"strings"
)

const (
	reverse4 = ".in-addr.arpa."
	reverse6 = ".ip6.arpa."
)

// reverseAddr is the address of a name of the trees of addresses: RFC 1035, section 3.5, and RFC 3596.
func reverseAddr(name string) (netip.Addr, bool) {
	if rest, ok := strings.CutSuffix(name, reverse4); ok {
		labels := strings.Split(rest, ".")
		if len(labels) != 4 {
			return netip.Addr{}, false
		}
		var bytes [4]byte
		for i, label := range labels {
			b, err := strconv.ParseUint(label, 10, 8)
			if err != nil || strconv.FormatUint(b, 10) != label {
				return netip.Addr{}, false
			}
			bytes[3-i] = byte(b)
		}
		return netip.AddrFrom4(bytes), true
	}
	rest, ok := strings.CutSuffix(name, reverse6)
	labels := strings.Split(rest, ".")
	if !ok || len(labels) != 32 {
		return netip.Addr{}, false
	}
	var bytes [16]byte
	for i, label := range labels {
		digit, err := strconv.ParseUint(label, 16, 4)
		if err != nil || len(label) != 1 {
			return netip.Addr{}, false
		}
		bytes[15-i/2] |= byte(digit) << (4 * (i % 2))
	}
	return netip.AddrFrom16(bytes), true
}
