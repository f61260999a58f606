// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// knownStates is ct state established,related in the kernel's bits.
const knownStates = 1<<1 | 1<<2

// Where the addresses stand in the headers.
const (
	source4, dest4 = 12, 16
	source6, dest6 = 8, 24
)

// program appends what the kernel runs for a rule. It is the one that nft makes from [Text], step by step.
func program(steps []expr, r host.Rule) []expr {
	is := func(key uint32, data string) {
		steps = append(steps, loadMeta{key, unix.NFT_REG_1}, compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, data})
	}
	if r.Family != host.AnyFamily {
		is(unix.NFT_META_NFPROTO, protocolFamily(r.Family))
	}
	if r.In != "" {
		is(unix.NFT_META_IIFNAME, linkKey(r.In))
	}
	if r.Out != "" {
		is(unix.NFT_META_OIFNAME, linkKey(r.Out))
	}
	if family := prefixFamily(r); family != host.AnyFamily {
		is(unix.NFT_META_NFPROTO, protocolFamily(family))
	}
	steps = inPrefix(steps, r.Src, true, unix.NFT_CMP_EQ)
	steps = inPrefix(steps, r.Dst, false, unix.NFT_CMP_EQ)
	steps = inPrefix(steps, r.NotDst, false, unix.NFT_CMP_NEQ)
	if r.Proto != host.AnyProto {
		is(unix.NFT_META_L4PROTO, string([]byte{byte(r.Proto)}))
	}
	steps = toPorts(steps, r.DstPorts)
	if r.Established {
		states := binary.NativeEndian.AppendUint32(nil, knownStates)
		steps = append(steps,
			loadTrack{unix.NFT_CT_STATE, unix.NFT_REG_1},
			mask{unix.NFT_REG_1, string(states)},
			compare{unix.NFT_REG_1, unix.NFT_CMP_NEQ, string(make([]byte, 4))})
	}
	if r.Forwarded {
		steps = append(steps, wasForwarded()...)
	}
	return decide(append(steps, count{}), r)
}

// wasForwarded is ct status dnat.
func wasForwarded() []expr {
	const translated = 1 << 5 // IPS_DST_NAT
	status := binary.NativeEndian.AppendUint32(nil, translated)
	return []expr{
		loadTrack{unix.NFT_CT_STATUS, unix.NFT_REG_1},
		mask{unix.NFT_REG_1, string(status)},
		compare{unix.NFT_REG_1, unix.NFT_CMP_NEQ, string(make([]byte, 4))},
	}
}

// atDestPort is where TCP, UDP and SCTP have the port of the destination.
const atDestPort = 2

// toPorts compares the port of the destination with a range.
func toPorts(steps []expr, ports host.PortRange) []expr {
	if ports == (host.PortRange{}) {
		return steps
	}
	steps = append(steps, loadHeader{transport: true, offset: atDestPort, length: 2, reg: unix.NFT_REG_1})
	if ports.From == ports.To {
		return append(steps, compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, string(port(ports.From))})
	}
	return append(steps,
		compare{unix.NFT_REG_1, unix.NFT_CMP_GTE, string(port(ports.From))},
		compare{unix.NFT_REG_1, unix.NFT_CMP_LTE, string(port(ports.To))})
}

// staysOnLink is the rule that every chain of address translation begins with. It counts nothing, so it is none of the
// filter's own.
func staysOnLink(link string) []expr {
	return []expr{
		loadMeta{unix.NFT_META_OIFNAME, unix.NFT_REG_1},
		compare{unix.NFT_REG_1, unix.NFT_CMP_EQ, linkKey(link)},
		verdict{code: unix.NFT_RETURN},
	}
}

// program is the rule of a base chain.
func (l lead) program() []expr {
	key := uint32(unix.NFT_META_IIFNAME)
	if l.out {
		key = unix.NFT_META_OIFNAME
	}
	return []expr{loadMeta{key, unix.NFT_REG_1}, dispatch{l.to.String(), unix.NFT_REG_1}}
}

// linkKey is the name of a link as a program compares it.
func linkKey(name string) string { return string(linkName(name)) }

func protocolFamily(f host.Family) string {
	if f == host.IPv4 {
		return string([]byte{unix.NFPROTO_IPV4})
	}
	return string([]byte{unix.NFPROTO_IPV6})
}

func prefixFamily(r host.Rule) host.Family {
	for _, p := range []netip.Prefix{r.Src, r.Dst, r.NotDst} {
		if p.IsValid() {
			return host.FamilyOf(p.Addr())
		}
	}
	return host.AnyFamily
}

// inPrefix compares an address with a prefix: only the bytes that matter if the length is a number of whole bytes, else
// all of them behind a mask.
func inPrefix(steps []expr, p netip.Prefix, source bool, op uint32) []expr {
	if !p.IsValid() {
		return steps
	}
	data := p.Addr().AsSlice()
	load := loadHeader{offset: addrOffset(len(data), source), length: uint32(len(data)), reg: unix.NFT_REG_1}
	if p.Bits()%8 == 0 && p.Bits() > 0 {
		load.length = uint32(p.Bits() / 8)
		return append(steps, load, compare{unix.NFT_REG_1, op, string(data[:load.length])})
	}
	ones := bytes.Repeat([]byte{0xff}, len(data))
	all, _ := netip.AddrFromSlice(ones)
	netmask, _ := all.Prefix(p.Bits())
	return append(steps, load,
		mask{unix.NFT_REG_1, string(netmask.Addr().AsSlice())},
		compare{unix.NFT_REG_1, op, string(data)})
}

func addrOffset(size int, source bool) uint32 {
	switch {
	case size == 4 && source:
		return source4
	case size == 4:
		return dest4
	case source:
		return source6
	}
	return dest6
}

func decide(steps []expr, r host.Rule) []expr {
	switch r.Do {
	case host.Return:
		return append(steps, verdict{code: unix.NFT_RETURN})
	case host.Drop:
		return append(steps, verdict{code: drop})
	case host.Reject:
		return append(steps, reject{unix.NFT_REJECT_ICMPX_UNREACH, unix.NFT_REJECT_ICMPX_PORT_UNREACH})
	}
	// The ends of the ranges go into the registers one after the other.
	reg := uint32(0)
	load := func(data []byte) uint32 {
		reg++
		steps = append(steps, loadValue{reg, string(data)})
		return reg
	}
	x := translate{how: unix.NFT_NAT_SNAT}
	if from, to := r.Addrs.From, r.Addrs.To; from.IsValid() {
		x.addrMin = load(from.AsSlice())
		if to != from {
			x.addrMax = load(to.AsSlice())
		}
	}
	if from, to := r.Ports.From, r.Ports.To; from != 0 {
		x.portMin, x.flags = load(port(from)), mapsPorts
		if to != from {
			x.portMax = load(port(to))
		}
	}
	if r.Do == host.Masquerade {
		return append(steps, masquerade{x.portMin, x.portMax, x.flags})
	}
	x.family = uint32(protocolFamily(host.FamilyOf(r.Addrs.From))[0])
	return append(steps, x)
}

const drop = 0 // NF_DROP
