// SPDX-License-Identifier: Apache-2.0

package rtnl

import (
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestParseVLAN reads what "ip link show" is told of a VLAN device.
func TestParseVLAN(t *testing.T) {
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.IFLA_IFNAME, "eth0.42")
	ae.Uint32(unix.IFLA_LINK, 7)
	ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.IFLA_INFO_KIND, "vlan")
		ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
			ae.Uint16(unix.IFLA_VLAN_PROTOCOL, 0x0081)
			ae.Uint16(unix.IFLA_VLAN_ID, 42)
			return nil
		})
		return nil
	})
	attributes, err := ae.Encode()
	require.NoError(t, err)
	l, err := parseLink(append(make([]byte, unix.SizeofIfInfomsg), attributes...))
	require.NoError(t, err)
	require.Equal(t, Link{Name: "eth0.42", Kind: "vlan", Lower: 7, VLAN: 42}, l)
}
