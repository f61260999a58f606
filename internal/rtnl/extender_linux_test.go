// SPDX-License-Identifier: Apache-2.0

package rtnl

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var extender = ExtenderPort{
	VF: 3, Profile: "web", Instance: profile.Instance, Host: [16]byte{1, 15: 2}, MAC: [6]byte{0x52, 0x54, 0, 0, 0, 1},
}

// The parts of the messages about it.
const (
	webProfile = "2c000200 776562" + zeros37
	zeros37    = "00000000000000000000000000000000000000000000000000000000000000000000000000 "
	host1      = "14000500 01000000000000000000000000000002 "
	vf3        = "08000100 03000000 "
)

// TestRequestToExtender compares with the layout of the kernel's headers, and of the lengths that its driver wants.
func TestRequestToExtender(t *testing.T) {
	needLittleEndian(t)
	self := extender
	self.VF = Self
	for name, c := range map[string]struct {
		port ExtenderPort
		ask  uint8
		want string
	}{
		"a virtual function": {extender, PortAssociate, head +
			"30001680 2c000180 28000100 03000000 525400000001 0000000000000000000000000000000000000000000000000000" +
			"6c001880 68000180" + webProfile + uuid + host1 + vf3 + "05000600 02000000"},
		"reserved for a guest on its way": {self, PortPreassociateRR, head + "60001980" + webProfile + uuid + host1 + "05000600 01000000"},
		"a card itself":                   {self, PortAssociate, head + "60001980" + webProfile + uuid + host1 + "05000600 02000000"},
		"the end of a function":           {extender, PortDisassociate, head + "18001880 14000180" + vf3 + "05000600 03000000"},
		"the end of a card":               {self, PortDisassociate, head + "0c001980 05000600 03000000"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.port.body(2, c.ask)
			require.NoError(t, err)
			require.Equal(t, hex.EncodeToString(bytesOf(t, c.want)), hex.EncodeToString(got))
		})
	}
	long := extender
	long.Profile = strings.Repeat("x", profileLength)
	_, err := long.body(2, PortAssociate)
	require.ErrorContains(t, err, "invalid argument")
}

func TestPortsOfExtender(t *testing.T) {
	needLittleEndian(t)
	got, err := parseExtender(bytesOf(t, head+
		"48001880 44000180"+vf3+"08000200 77656200"+uuid+host1+"06000700 00010000"+
		"0c001980 06000700 02010000"))
	require.NoError(t, err)
	want := extender
	want.MAC, want.Done, want.Code = [6]byte{}, true, ProfileSuccess
	require.Equal(t, []ExtenderPort{want, {VF: Self, Done: true, Code: ProfileInvalid}}, got)
}
