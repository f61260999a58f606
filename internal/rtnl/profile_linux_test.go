// SPDX-License-Identifier: Apache-2.0

package rtnl

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bytesOf reads hexadecimal digits with blanks between them; the numbers in them are those of a little machine.
func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	require.NoError(t, err)
	return b
}

func needLittleEndian(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("SKIP-REASON: the bytes are those of a little-endian machine")
	}
}

var profile = PortProfile{
	Request: PortAssociate, Instance: [16]byte{0x09, 0xb1, 0x1c, 0x53, 0x8b, 0x5c, 0x4e, 0xeb, 0x8f, 0x00, 0xd8, 0x4e, 0xaa, 0x0a, 0xaa, 0x4f},
	MAC: [6]byte{0x52, 0x54, 0, 0, 0, 1}, VLAN: 5, Manager: 11, Type: 1193047, Version: 2,
}

// TestRequestToAgent compares with a message that lldpad was seen to take.
func TestRequestToAgent(t *testing.T) {
	needLittleEndian(t)
	got, err := profile.vsiBody(2, "e0")
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(bytesOf(t, `00000000 02000000 00000000 00000000
		07000300 65300000
		40001680 3c000180 28000100 ffffffff 525400000001 0000000000000000000000000000000000000000000000000000
		10000200 ffffffff 05000000 00000000
		30001880 2c000180 0c000300 0b 573412 02 000000 14000400 09b11c538b5c4eeb8f00d84eaa0aaa4f 05000600 02000000`)), hex.EncodeToString(got))
}

const (
	uuid = "14000400 09b11c538b5c4eeb8f00d84eaa0aaa4f "
	self = "08000100 ffffffff "
	head = "00000000 02000000 00000000 00000000 "
)

func TestResponsesOfAgent(t *testing.T) {
	needLittleEndian(t)
	got, err := parseResponses(bytesOf(t, head+"6c001880"+
		"28000180"+uuid+self+"06000700 05000000"+ // refused
		"20000180"+uuid+self+ // under way
		"20000180"+uuid+"08000100 02000000")) // of a virtual function, which is none of these
	require.NoError(t, err)
	require.Equal(t, []PortResponse{{Instance: profile.Instance, Done: true, Code: 5}, {Instance: profile.Instance}}, got)
	got, err = parseResponses(bytesOf(t, head))
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = parseResponses(bytesOf(t, head+"18001880 14000180 10000400 09b11c538b5c4eeb8f00d84e"))
	require.EqualError(t, err, "an instance of 12 bytes")
	_, err = parseResponses([]byte{1})
	require.EqualError(t, err, "the agent's message about a link has 1 bytes")
}

// TestNoticesOfAgent reads both lengths of what was asked.
func TestNoticesOfAgent(t *testing.T) {
	needLittleEndian(t)
	for name, asked := range map[string]string{"one byte": "05000600 03000000", "two bytes": "06000600 03000000"} {
		got, err := parseNotices(bytesOf(t, head+"38001880 34000180 0c000300 0b573412 02aabbcc"+uuid+self+asked))
		require.NoError(t, err, name)
		require.Equal(t, []PortNotice{{Instance: profile.Instance, Request: PortDisassociate}}, got, name)
	}
	got, err := parseNotices(bytesOf(t, head+"1c001880 18000180"+uuid))
	require.NoError(t, err)
	require.Empty(t, got, "of nothing that was asked")
}

// FuzzPorts wants nothing of what other programs send but that it does no harm.
func FuzzPorts(f *testing.F) {
	f.Add(bytesOf(f, head+"28001880 24000180"+uuid+self+"06000700 05000000"))
	f.Add(bytesOf(f, head+"38001880 34000180 0c000300 0b573412 02aabbcc"+uuid+self+"06000600 03000000"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		responses, err := parseResponses(data)
		require.True(t, err == nil || len(responses) <= len(data))
		_, _ = parseNotices(data)
	})
}
