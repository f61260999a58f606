// SPDX-License-Identifier: Apache-2.0

package tc

import (
	"encoding/binary"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// class is the kernel's message about a class of htb, with an attribute that nobody knows.
func class(t testing.TB, rate, ceil uint64) []byte {
	t.Helper()
	parms := make([]byte, 44)
	for at, n := range map[int]uint32{8: short(rate), 20: short(ceil), 24: 11, 28: 12, 32: 13} {
		binary.NativeEndian.PutUint32(parms[at:], n)
	}
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.TCA_KIND, "htb")
	ae.Nested(unix.TCA_OPTIONS, func(ae *netlink.AttributeEncoder) error {
		ae.Bytes(htbParms, parms)
		if rate > 1<<32-1 {
			ae.Uint64(htbRate64, rate)
		}
		if ceil > 1<<32-1 {
			ae.Uint64(htbCeil64, ceil)
		}
		ae.String(77, "what a newer kernel says")
		return nil
	})
	ae.String(99, "and here")
	attributes, err := ae.Encode()
	require.NoError(t, err)
	return append(header(3, MakeHandle(1, 0), MakeHandle(1, 0xfffe), 0), attributes...)
}

func TestParseClass(t *testing.T) {
	for _, rate := range []uint64{8000, 1<<32 - 1, 1 << 32, 12_500_000_000, 18_014_398_509_481_984_000} {
		c, kind, err := parseClass(class(t, rate, 2*(rate/2)))
		require.NoError(t, err)
		require.Equal(t, "htb", kind)
		require.Equal(t, Class{
			Handle: MakeHandle(1, 0xfffe), Parent: MakeHandle(1, 0),
			Rates: Rates{Rate: rate, Ceil: 2 * (rate / 2), Buffer: 11, CBuffer: 12, Quantum: 13},
		}, c)
	}
}

func TestParseDestination(t *testing.T) {
	mac := [6]byte{0x52, 0x54, 0, 1, 2, 3}
	require.Equal(t, mac, parseDestination(selector(terminal, 0, 0, destination(mac))))
	require.Zero(t, parseDestination(selector(terminal, 0, 0, everything())))
	require.Zero(t, parseDestination(selector(terminal, 0, 0, append(destination(mac), key{mask: 1}))), "one more key")
	require.Zero(t, parseDestination(selector(0, 0, 0, destination(mac))))
	require.Zero(t, parseDestination(nil))
}

// TestParseProgram wants filters of kind bpf to be told apart by their programs.
func TestParseProgram(t *testing.T) {
	mac := [6]byte{0x52, 0x54, 0, 1, 2, 3}
	read := func(finds []bpf.Instruction, then func(*netlink.AttributeEncoder)) Filter {
		ops, err := program(finds)
		require.NoError(t, err)
		body, err := filterBody(bpfAt(3, MakeHandle(1, 0), 7), func(ae *netlink.AttributeEncoder) { ae.Bytes(bpfOps, ops); then(ae) })
		require.NoError(t, err)
		f, skip, err := parseFilter(body)
		require.NoError(t, err)
		require.False(t, skip)
		require.True(t, f.BPF)
		return f
	}
	class := func(ae *netlink.AttributeEncoder) { ae.Uint32(bpfClass, 0x10003) }
	csum := func(parms []byte) func(*netlink.AttributeEncoder) {
		return func(ae *netlink.AttributeEncoder) {
			action(ae, bpfAct, "csum", func(ae *netlink.AttributeEncoder) { ae.Bytes(csumParms, parms) })
		}
	}
	require.Equal(t, Filter{Handle: 7, BPF: true, Class: MakeHandle(1, 3), MAC: mac}, read(to(mac), class))
	require.Equal(t, Filter{Handle: 7, BPF: true, Fills: true}, read(toClients, csum(fills())))
	other := to(mac)
	other[5] = bpf.RetConstant{Val: 1}
	for what, f := range map[string]Filter{
		"filter bpf with another program": read(other, class),
		"filter bpf":                      read(toClients, class),
		"action csum":                     read(toClients, csum(make([]byte, csumSize))),
	} {
		require.Equal(t, what, f.Other)
		require.Zero(t, f.MAC)
	}
	require.NotEmpty(t, read(all, csum(fills())).Other)
}

// FuzzParse wants whatever the kernel says not to end the program.
func FuzzParse(f *testing.F) {
	f.Add(class(f, 1<<40, 1<<41))
	body, err := filterBody(u32At(3, MakeHandle(1, 0), tableUse), func(ae *netlink.AttributeEncoder) {
		ae.Bytes(u32Sel, selector(terminal, 255, -12, destination([6]byte{1, 2, 3, 4, 5, 6})))
		ae.Uint32(u32Class, 0x10003)
		ae.Nested(u32Act, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(1, func(ae *netlink.AttributeEncoder) error {
				ae.String(actKind, "mirred")
				ae.Nested(actOptions, func(ae *netlink.AttributeEncoder) error { ae.Bytes(mirredParms, make([]byte, 28)); return nil })
				return nil
			})
			return nil
		})
	})
	require.NoError(f, err)
	f.Add(body)
	ops, err := program(to([6]byte{2}))
	require.NoError(f, err)
	body, err = filterBody(bpfAt(3, MakeHandle(1, 0), 1), func(ae *netlink.AttributeEncoder) { ae.Bytes(bpfOps, ops) })
	require.NoError(f, err)
	f.Add(body)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = parseQdisc(body)
		_, _, _ = parseClass(body)
		filter, skip, err := parseFilter(body)
		if err == nil && !skip && filter.Other == "" && filter.Redirect == 0 && filter.Police == (Police{}) {
			require.NotZero(t, filter.MAC)
		}
	})
}
