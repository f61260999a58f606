// SPDX-License-Identifier: Apache-2.0

package vdp_test

import (
	"encoding/hex"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/vdp"
)

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

// What lldpad sends for a guest: the manager, and behind it the mode, the status and the rest.
const (
	manager = "0a10 0b000000000000000000000000000000 "
	guest   = "123457 02 05 01020300000000000000000000000000 02 0001 525400000007 0005"
)

func TestMessage(t *testing.T) {
	v := vdp.VSI{
		Mode: vdp.Preassociate, Manager: [16]byte{11}, Type: 1193047, Version: 2, Instance: [16]byte{1, 2, 3},
		Filters: []vdp.Filter{{MAC: [6]byte{0x52, 0x54, 0, 0, 0, 7}, VLAN: 5}},
	}
	like := func(change func(*vdp.VSI)) vdp.VSI {
		other := v
		change(&other)
		return other
	}
	for _, c := range []struct {
		name, text string
		want       vdp.Message
	}{
		{"a request", "1001 0001" + manager + "0221 00" + guest, vdp.Message{Sequence: 1, VSIs: []vdp.VSI{v}}},
		{"an answer", "1001 0002" + manager + "0621 40" + guest, vdp.Message{Sequence: 2, VSIs: []vdp.VSI{
			like(func(v *vdp.VSI) { v.Mode, v.Status = vdp.Associate, vdp.Answer }),
		}}},
		{"an end", "1001 ffff" + manager + "0821 00" + guest, vdp.Message{Sequence: 0xffff, VSIs: []vdp.VSI{
			like(func(v *vdp.VSI) { v.Mode = vdp.Disassociate }),
		}}},
		{"an acknowledgement", "1401 0001", vdp.Message{Ack: true, Sequence: 1}},
		{"two guests of one manager", "1001 0001" + manager + "0221 00" + guest + "0221 00" + guest, vdp.Message{Sequence: 1, VSIs: []vdp.VSI{v, v}}},
		{"guests of two managers", "1001 0001" + manager + "0221 00" + guest + strings.Replace(manager, "0b", "0c", 1) + "0421 00" + guest,
			vdp.Message{Sequence: 1, VSIs: []vdp.VSI{v, like(func(v *vdp.VSI) { v.Mode, v.Manager = vdp.PreassociateRR, [16]byte{12} })}}},
		{"a guest without addresses", "1001 0001" + manager + "0219 00 123457 02 05 01020300000000000000000000000000 02 0000", vdp.Message{
			Sequence: 1, VSIs: []vdp.VSI{like(func(v *vdp.VSI) { v.Filters = nil })},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := vdp.Parse(bytesOf(t, c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, bytesOf(t, c.text), got.Append(nil))
		})
	}
}

// TestPassedOver wants guests that are described in another way, other TLVs and padding to do no harm.
func TestPassedOver(t *testing.T) {
	for name, text := range map[string]string{
		"named by an address":    "0221 00 123457 02 04 01020300000000000000000000000000 02 0001 525400000007 0005",
		"described by VLAN only": "021b 00 123457 02 05 01020300000000000000000000000000 01 0001 0005",
		"of another kind":        "fe04 0080c200",
		"nothing":                "0000 0221",
		"padding":                "00",
	} {
		m, err := vdp.Parse(bytesOf(t, "1001 0001"+manager+text))
		require.NoError(t, err, name)
		require.Empty(t, m.VSIs, name)
	}
}

func TestNoMessage(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "it ends too soon",
		"1001 00":             "it ends too soon",
		"2001 0001":           "version 2",
		"1002 0001":           "subtype 2 is not VDP",
		"1801 0001":           "operation 2",
		"1001 0001 0a10 00":   "it ends too soon",
		"1001 0001 0a02 0b00": "a manager of 2 bytes",
		"1001 0001 0202 0000": "it ends too soon",
		"1001 0001 0219 00 123457 02 05 01020300000000000000000000000000 02 0001": "it ends too soon",
	} {
		_, err := vdp.Parse(bytesOf(t, text))
		require.ErrorIs(t, err, fs.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
}

// FuzzParse wants of whatever a neighbour sends that it is refused, or means the same when it is said again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"1001 0001" + manager + "0221 00" + guest, "1401 0001", "1001 0001" + manager + "0621 40" + guest + "0821 00" + guest, "1001",
	} {
		f.Add(bytesOf(f, text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := vdp.Parse(data)
		if err != nil {
			require.ErrorIs(t, err, fs.ErrInvalid)
			return
		}
		for _, v := range m.VSIs {
			require.LessOrEqual(t, len(v.Filters), vdp.MaxFilters)
		}
		again, err := vdp.Parse(m.Append(nil))
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}
