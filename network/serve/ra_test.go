// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestAdvertisement compares with what dnsmasq sends for the same network, byte by byte, but for the servers of names: dnsmasq names
// the host's link-local address there, and no domain.
func TestAdvertisement(t *testing.T) {
	hardware := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}
	prefix := netip.MustParsePrefix("fd00:1::1/64")
	handed := []host.Range{{Start: netip.MustParseAddr("fd00:1::10"), End: netip.MustParseAddr("fd00:1::20"), Lease: host.LeaseTime(7200e9)}}
	const (
		mtu    = "0501000000000578 "
		source = "0101525400000001 "
		server = "19 03 0000 ffffffff fd000001000000000000000000000001"
	)
	for name, c := range map[string]struct {
		server host.Server
		want   string
	}{
		"guests choose": {host.Server{DNS: &host.DNS{}, Subnets: []host.Subnet{{Prefix: prefix}}},
			"86000000 40 00 0708 0000000000000000 0304 40 c0 ffffffffffffffff00000000 fd000001000000000000000000000000" + mtu + source + server},
		"addresses are handed out, nobody leaves, no names": {host.Server{NoRouter: true, Subnets: []host.Subnet{{Prefix: prefix, Ranges: handed}}},
			"86000000 40 c0 0000 0000000000000000 0304 40 80 00001c2000001c2000000000 fd000001000000000000000000000000" + mtu + source},
		"a secret, IPv4, and a domain": {host.Server{Domain: "lan.example.", DNS: &host.DNS{}, Subnets: []host.Subnet{
			{Prefix: netip.MustParsePrefix("fd00:2::1/64"), Silent: true}, {Prefix: netip.MustParsePrefix("10.0.0.1/8")}, {Prefix: prefix}}},
			"86000000 40 00 0708 0000000000000000 0304 40 c0 ffffffffffffffff00000000 fd000001000000000000000000000000" + mtu + source + server +
				"1f 03 0000 ffffffff 036c616e076578616d706c6500 000000"},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, advertises(&c.server))
			require.Equal(t, strings.ReplaceAll(c.want, " ", ""), hex.EncodeToString(advertisement(&c.server, &dhcpDirectives{}, hardware, 1400)))
		})
	}
	require.False(t, advertises(&host.Server{Subnets: []host.Subnet{{Prefix: prefix, Silent: true}, {Prefix: netip.MustParsePrefix("10.0.0.1/8")}}}))
}

func TestIsSolicitation(t *testing.T) {
	good := []byte{133, 0, 0, 0, 0, 0, 0, 0}
	require.True(t, isSolicitation(good, 255))
	require.False(t, isSolicitation(good, 254), "it comes from another link")
	require.False(t, isSolicitation(good[:7], 255))
	require.False(t, isSolicitation([]byte{134, 0, 0, 0, 0, 0, 0, 0}, 255))
}
