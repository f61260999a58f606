// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// readRule is the rule whose program this is. A program that [program] would not have made is a rule that is like no
// other: its verdict tells what was found.
func readRule(steps []expr) host.Rule {
	r, ok := guess(steps)
	if ok && slices.Equal(program(nil, r), steps) {
		return r
	}
	return strange("%s", describe(steps))
}

// strange is a rule that no filter can have, with a reason.
func strange(format string, args ...any) host.Rule {
	return host.Rule{Do: host.Verdict("unknown: " + fmt.Sprintf(format, args...))}
}

// describe names the steps of a program.
func describe(steps []expr) string {
	const most = 20
	var words []string
	for i, x := range steps {
		if i == most {
			words = append(words, "...")
			break
		}
		words = append(words, strings.ToValidUTF8(fmt.Sprintf("%s%v", x.kind(), x), "?"))
	}
	return strings.Join(words, " ")
}

// guess collects what the steps of a program say. It need not be right, for the caller makes the test.
func guess(steps []expr) (r host.Rule, ok bool) {
	families := 0
	var registers [5]string
	for len(steps) > 0 {
		n := 1
		switch x := steps[0].(type) {
		case loadMeta:
			data := comparedWith(steps[1:])
			n = 2
			switch {
			case x.key == unix.NFT_META_NFPROTO:
				families++
				r.Family = readFamily(data)
			case x.key == unix.NFT_META_IIFNAME:
				r.In = unix.ByteSliceToString([]byte(data))
			case x.key == unix.NFT_META_OIFNAME:
				r.Out = unix.ByteSliceToString([]byte(data))
			case x.key == unix.NFT_META_L4PROTO && len(data) == 1:
				r.Proto = host.Proto(data[0])
			default:
				return r, false
			}
		case loadHeader:
			if x.transport {
				n = guessPorts(&r, steps[1:]) + 1
				break
			}
			n = guessPrefix(&r, x, steps[1:]) + 1
		case loadTrack:
			r.Established = r.Established || x.key == unix.NFT_CT_STATE
			r.Forwarded = r.Forwarded || x.key == unix.NFT_CT_STATUS
			n = 3
		case count:
		case loadValue:
			if x.reg < uint32(len(registers)) {
				registers[x.reg] = x.data
			}
		default:
			guessVerdict(&r, x, registers)
		}
		if n > len(steps) {
			return r, false
		}
		steps = steps[n:]
	}
	// A family that is only there because of the addresses is not part of the rule.
	if families == 1 && prefixFamily(r) != host.AnyFamily {
		r.Family = host.AnyFamily
	}
	return r, true
}

func comparedWith(steps []expr) string {
	if len(steps) > 0 {
		if x, ok := steps[0].(compare); ok {
			return x.data
		}
	}
	return ""
}

func readFamily(data string) host.Family {
	switch data {
	case protocolFamily(host.IPv4):
		return host.IPv4
	case protocolFamily(host.IPv6):
		return host.IPv6
	}
	return host.AnyFamily
}

// guessPrefix reads the test of an address and returns how many of the steps it consists of.
func guessPrefix(r *host.Rule, x loadHeader, steps []expr) int {
	n, length := 1, int(x.length)*8
	if len(steps) > 1 {
		if m, ok := steps[0].(mask); ok {
			n, length, steps = 2, ones(m.data), steps[1:]
		}
	}
	if len(steps) == 0 {
		return n
	}
	c, _ := steps[0].(compare)
	size := 16
	if x.offset == source4 || x.offset == dest4 {
		size = 4
	}
	data := make([]byte, size)
	copy(data, c.data)
	addr, _ := netip.AddrFromSlice(data)
	prefix := netip.PrefixFrom(addr, length)
	switch {
	case x.offset == source4 || x.offset == source6:
		r.Src = prefix
	case c.op == unix.NFT_CMP_NEQ:
		r.NotDst = prefix
	default:
		r.Dst = prefix
	}
	return n
}

// guessPorts reads the test of the destination's port and returns how many of the steps it consists of.
func guessPorts(r *host.Rule, steps []expr) int {
	first := comparedWith(steps)
	if len(steps) > 1 {
		if c, ok := steps[0].(compare); ok && c.op == unix.NFT_CMP_GTE {
			r.DstPorts = readPorts(first, comparedWith(steps[1:]))
			return 2
		}
	}
	r.DstPorts = readPorts(first, "")
	return 1
}

// ones counts the bits that are set.
func ones(data string) int {
	n := 0
	for i := range len(data) {
		n += bits.OnesCount8(data[i])
	}
	return n
}

func guessVerdict(r *host.Rule, x expr, registers [5]string) {
	at := func(reg uint32) string {
		if reg < uint32(len(registers)) {
			return registers[reg]
		}
		return ""
	}
	switch x := x.(type) {
	case verdict:
		switch x.code {
		case unix.NFT_RETURN:
			r.Do = host.Return
		case drop:
			r.Do = host.Drop
		}
	case reject:
		r.Do = host.Reject
	case masquerade:
		r.Do = host.Masquerade
		r.Ports = readPorts(at(x.portMin), at(x.portMax))
	case translate:
		r.Do = host.SNAT
		r.Addrs = readAddrs(at(x.addrMin), at(x.addrMax))
		r.Ports = readPorts(at(x.portMin), at(x.portMax))
	}
}

func readPorts(first, last string) (p host.PortRange) {
	if len(first) == 2 {
		p.From = binary.BigEndian.Uint16([]byte(first))
		p.To = p.From
	}
	if len(last) == 2 {
		p.To = binary.BigEndian.Uint16([]byte(last))
	}
	return p
}

func readAddrs(first, last string) host.AddrRange {
	from, _ := netip.AddrFromSlice([]byte(first))
	to, ok := netip.AddrFromSlice([]byte(last))
	if !ok {
		to = from
	}
	return host.AddrRange{From: from, To: to}
}
