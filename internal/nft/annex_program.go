// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// annexPrograms are the rules of the chains of each annex as the kernel runs them.
var annexPrograms = [annexCount][][][]expr{
	repairs:    {{repairProgram()}},
	forwarding: {leadPrograms(), leadPrograms(), hidePrograms()},
	guarding:   {guardPrograms()},
}

// metaOifkind is the kind of the device that a packet leaves by: NFT_META_OIFKIND.
const metaOifkind = 27

// repairProgram takes the checksum off what a DHCP server answers.
func repairProgram() []expr {
	return []expr{
		loadMeta{metaOifkind, unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, linkKey("veth")},
		loadMeta{unix.NFT_META_PROTOCOL, unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, "\x08\x00"},
		loadHeader{offset: source4, length: 4, reg: unix.NFT_REG_1},
		member{serverSet, unix.NFT_REG_1, false},
		loadMeta{unix.NFT_META_L4PROTO, unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, string([]byte{byte(host.UDP)})},
		loadHeader{transport: true, offset: 0, length: 4, reg: unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, "\x00\x43\x00\x44"},
		count{},
		loadValue{unix.NFT_REG_1, "\x00\x00"},
		zeroChecksum{unix.NFT_REG_1},
	}
}

func leadPrograms() [][]expr {
	return [][]expr{leadProgram(addr4Set), leadProgram(addr6Set), leadProgram(local4Set), leadProgram(local6Set)}
}

// hidePrograms give connections that were led on the address of the link that they leave by.
func hidePrograms() [][]expr {
	return [][]expr{append(wasForwarded(),
		loadMeta{unix.NFT_META_IIFNAME, unix.NFT_REG_1},
		loadMeta{unix.NFT_META_OIFNAME, unix.NFT_REG_2},
		member{forwardSets[hairpinSet].name, unix.NFT_REG_1, false},
		masquerade{},
	), append(wasForwarded(),
		loadMeta{unix.NFT_META_OIFNAME, unix.NFT_REG_1},
		member{forwardSets[hiddenSet].name, unix.NFT_REG_1, false},
		masquerade{},
	)}
}

// guardPrograms keep guests from the machine.
func guardPrograms() [][]expr {
	returns := func(r host.Rule) []expr {
		r.Do = host.Return
		return slices.DeleteFunc(program(nil, r), func(x expr) bool { return x == count{} })
	}
	return [][]expr{
		{
			loadMeta{unix.NFT_META_IIFNAME, unix.NFT_REG_1},
			member{guardSets[guardedSet].name, unix.NFT_REG_1, true},
			verdict{code: unix.NFT_RETURN},
		},
		returns(host.Rule{Established: true}),
		returns(host.Rule{Proto: unix.IPPROTO_ICMP}),
		returns(host.Rule{Proto: unix.IPPROTO_ICMPV6}),
		{
			loadMeta{unix.NFT_META_IIFNAME, unix.NFT_REG_1},
			loadMeta{unix.NFT_META_L4PROTO, unix.NFT_REG_2},
			loadHeader{transport: true, offset: atDestPort, length: 2, reg: unix.NFT_REG32_05},
			member{guardSets[openSet].name, unix.NFT_REG_1, false},
			count{},
			verdict{code: unix.NFT_RETURN},
		},
		program(nil, host.Rule{Do: host.Reject}),
	}
}

// leadProgram leads on what a map of forwardAnnex has a guest for.
func leadProgram(set int) []expr {
	family, size := host.IPv4, 4
	if set == addr6Set || set == local6Set {
		family, size = host.IPv6, 16
	}
	steps := []expr{
		loadMeta{unix.NFT_META_NFPROTO, unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, protocolFamily(family)},
	}
	if set == local4Set || set == local6Set {
		for _, p := range neverLed(family) {
			steps = inPrefix(steps, p, false, unix.NFT_CMP_NEQ)
		}
		steps = append(steps,
			loadFIB{fibKind, fibDest, unix.NFT_REG_1},
			compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, string(binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL))})
	}
	// The key stands in registers of four bytes, one behind the other.
	reg := uint32(unix.NFT_REG32_01)
	steps = append(steps, loadMeta{unix.NFT_META_L4PROTO, unix.NFT_REG_1})
	if set == addr4Set || set == addr6Set {
		steps = append(steps, loadHeader{offset: addrOffset(size, false), length: uint32(size), reg: reg})
		reg += uint32(size / 4)
	}
	return append(steps,
		loadHeader{transport: true, offset: atDestPort, length: 2, reg: reg},
		find{forwardSets[set].name, unix.NFT_REG_1, unix.NFT_REG_1},
		translate{
			how: unix.NFT_NAT_DNAT, family: uint32(protocolFamily(family)[0]),
			addrMin: unix.NFT_REG_1, portMin: behind(size), flags: mapsPorts,
		})
}

// behind is the register of what follows a value of that size in the first one.
func behind(size int) uint32 {
	if size == 16 {
		return unix.NFT_REG_2
	}
	return unix.NFT_REG32_01
}

// neverLed are the addresses of the machine that only it can use, or only who is on the same link.
func neverLed(family host.Family) []netip.Prefix {
	if family == host.IPv4 {
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	return []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10")}
}

// familyNumber is the kernel's number for a family of tables.
func familyNumber(word string) uint8 {
	if word == "bridge" {
		return unix.NFPROTO_BRIDGE
	}
	return unix.NFPROTO_INET
}
