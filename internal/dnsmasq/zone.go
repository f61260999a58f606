// SPDX-License-Identifier: Apache-2.0

package dnsmasq

import (
	"fmt"
	"net/netip"
	"strings"
)

// ReverseZone is the DNS zone of the addresses of a network. It is an error that wraps fs.ErrInvalid if the network is
// no zone of its own: zones end at whole bytes of IPv4 (8, 16, 24), and at whole digits of IPv6 (4 to 124).
func ReverseZone(network netip.Prefix) (string, error) {
	addr, bits := network.Addr(), network.Bits()
	if !network.IsValid() || addr.Is4In6() {
		return "", invalid("reverse zone of %q", network)
	}
	var labels []string
	suffix := "ip6.arpa"
	if addr.Is4() {
		if bits%8 != 0 || bits < 8 || bits > 24 {
			return "", invalid("reverse zone of %s: the prefix must be 8, 16 or 24", network)
		}
		suffix = "in-addr.arpa"
		for _, b := range addr.AsSlice()[:bits/8] {
			labels = append([]string{fmt.Sprint(b)}, labels...)
		}
	} else {
		if bits%4 != 0 || bits < 4 || bits > 124 {
			return "", invalid("reverse zone of %s: the prefix must be a multiple of 4 from 4 to 124", network)
		}
		for _, digit := range fmt.Sprintf("%x", addr.AsSlice())[:bits/4] {
			labels = append([]string{string(digit)}, labels...)
		}
	}
	return strings.Join(append(labels, suffix), "."), nil
}
