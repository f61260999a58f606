// SPDX-License-Identifier: Apache-2.0

package lldp_test

import (
	"encoding/hex"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/lldp"
)

// bytesOf reads hexadecimal digits with blanks between them.
func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

const (
	chassis = "0207 04 525400000001"
	port    = "0403 05 6531" // device e1
	ttl     = "0602 0078"
	end     = "0000"
)

// station is what a station says that asks a bridge which reflects.
var station = lldp.EVB{
	Role: lldp.Station, RelayCapable: true, RelayActive: true, RelayRequest: true, RelayStatus: lldp.RelayWorks,
	Retries: 3, Retransmit: 8, Wait: 20, KeepAlive: 20, KeepAliveHeard: true,
}

func TestUnit(t *testing.T) {
	draft := lldp.Draft{
		Supported:  lldp.Abilities{Standard: true, Relay: true, Timers: true, ECP: true, VDP: true, Associations: 0x0d4b},
		Configured: lldp.Abilities{Relay: true, VDP: true, Associations: 1},
		Retransmit: 15,
	}
	for _, c := range []struct {
		name string
		text string
		want lldp.Unit
	}{
		{"nothing but who speaks", chassis + port + ttl + end, lldp.Unit{}},
		{"802.1Qbg", chassis + port + ttl + "fe09 0080c20d 03 05 68 94 34" + end, lldp.Unit{EVB: &station}},
		{"a bridge that cannot reflect", chassis + port + ttl + "fe09 0080c20d 00 00 00 40 00" + end, lldp.Unit{EVB: &lldp.EVB{Role: lldp.Bridge}}},
		{"the draft", chassis + port + ttl + "fe0d 001b3f00 c0 07 40 01 0d4b 0001 0f" + end, lldp.Unit{Draft: &draft}},
		{"both", chassis + port + ttl + "fe09 0080c20d 03 05 68 94 34 fe0d 001b3f00 c0 07 40 01 0d4b 0001 0f" + end, lldp.Unit{EVB: &station, Draft: &draft}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Chassis = lldp.ChassisID{Kind: lldp.ChassisMAC, ID: "\x52\x54\x00\x00\x00\x01"}
			c.want.Port = lldp.PortID{Kind: lldp.PortName, ID: "e1"}
			c.want.TTL = 120
			got, err := lldp.Parse(bytesOf(t, c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, bytesOf(t, c.text), got.Append(nil))
		})
	}
}

// TestWith offers the same to bridges that know more, less, and something else.
func TestWith(t *testing.T) {
	offer := lldp.EVB{Role: lldp.Station, RelayRequest: true, RelayStatus: lldp.RelayUnknown, Retries: 3, Retransmit: 8, Wait: 20, KeepAlive: 20}
	require.Equal(t, lldp.EVB{
		Role: lldp.Station, RelayRequest: true, RelayStatus: lldp.RelayInactive, Retries: 3, Retransmit: 8, Wait: 20, KeepAlive: 20,
	}, offer.With(lldp.EVB{Role: lldp.Bridge}), "a bridge that names no times")
	require.Equal(t, lldp.EVB{
		Role: lldp.Station, RelayRequest: true, RelayStatus: lldp.RelayWorks, RelayCapable: true, RelayActive: true, BridgeGroups: true,
		Retries: 7, Retransmit: 8, Wait: 20, WaitHeard: true, KeepAlive: 22, KeepAliveHeard: true,
	}, offer.With(lldp.EVB{
		Role: lldp.Bridge, RelayCapable: true, RelayActive: true, BridgeGroups: true, Retries: 7, Retransmit: 5, Wait: 20, KeepAlive: 22,
	}), "a bridge that wants to be reminded less often")
}

// TestPassedOver wants what is not for us to do no harm.
func TestPassedOver(t *testing.T) {
	for name, text := range map[string]string{
		"a name and another organization": "0a01 61 fe05 0080c20101" + end,
		"no end":                          "",
		"padding":                         end + "00000000",
	} {
		u, err := lldp.Parse(bytesOf(t, chassis+port+ttl+text))
		require.NoError(t, err, name)
		require.Nil(t, u.EVB, name)
	}
}

func TestNoUnit(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "it ends too soon",
		end:                                  "it ends too soon",
		chassis + port + end:                 "it ends too soon",
		port + chassis + ttl:                 "TLV 1 is of type 2, not 1",
		chassis + chassis:                    "TLV 2 is of type 1, not 2",
		"0207 04 5254":                       "it ends too soon",
		"0201 04":                            "an identity of 1 bytes",
		chassis + port + "0601 00":           "it ends too soon",
		chassis + port + ttl + "fe03 0080c2": "it ends too soon",
		chassis + port + ttl + "fe08 0080c20d 03 05 68 94":          "the TLV of 802.1Qbg has 8 bytes, not 9",
		chassis + port + ttl + "fe0e 001b3f00 00000000000000000000": "the TLV of the draft of 802.1Qbg has 14 bytes, not 13",
	} {
		_, err := lldp.Parse(bytesOf(t, text))
		require.ErrorIs(t, err, fs.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestIdentities(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{lldp.ChassisID{Kind: 4, ID: "\x52\x54\x00\x00\x00\x01"}.String(), "52:54:00:00:00:01"},
		{lldp.ChassisID{Kind: 5, ID: "\x01\xc0\x00\x02\x01"}.String(), "192.0.2.1"},
		{lldp.ChassisID{Kind: 5, ID: "\x09\x01"}.String(), "0901"},
		{lldp.ChassisID{Kind: 7, ID: "rack 4"}.String(), "rack 4"},
		{lldp.ChassisID{Kind: 7, ID: "a\nb"}.String(), "610a62"},
		{lldp.PortID{Kind: 5, ID: "ge-0/0/1"}.String(), "ge-0/0/1"},
		{lldp.PortID{Kind: 3, ID: "\x52\x54\x00\x00\x00\x02"}.String(), "52:54:00:00:00:02"},
		{lldp.PortID{Kind: 7, ID: "\xff"}.String(), "ff"},
	} {
		require.Equal(t, c.want, c.got)
	}
}

// FuzzParse wants of whatever a neighbour sends that it is refused, or means the same when it is said again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		chassis + port + ttl + "fe09 0080c20d 03 05 68 94 34" + end,
		chassis + port + ttl + "fe0d 001b3f00 c0 07 40 01 0d4b 0001 0f" + end,
		chassis + port, "", "fe09",
	} {
		f.Add(bytesOf(f, text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := lldp.Parse(data)
		if err != nil {
			require.ErrorIs(t, err, fs.ErrInvalid)
			return
		}
		_ = u.Chassis.String() + u.Port.String()
		again, err := lldp.Parse(u.Append(nil))
		require.NoError(t, err)
		require.Equal(t, u.TTL, again.TTL)
		require.Equal(t, u.Append(nil), again.Append(nil))
	})
}
