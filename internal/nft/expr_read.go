// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"golang.org/x/sys/unix"
)

// readProgram reads the steps of a rule. What is not exactly a step of a rule of ours is an unknown one.
func readProgram(b []byte) []expr {
	steps := make([]expr, 0, 12)
	ok := each(b, func(_ uint16, value []byte) {
		a := readAttrs(value)
		name, data := a.text(unix.NFTA_EXPR_NAME), a.nested(unix.NFTA_EXPR_DATA)
		x := readExpr(name, &data)
		if a.rest() || data.rest() || x == nil {
			x = unknown{name}
		}
		steps = append(steps, x)
	})
	if !ok {
		steps = append(steps, unknown{"damaged"})
	}
	return steps
}

// readExpr takes the attributes that it understands; nil means none of ours.
func readExpr(name string, a *attrs) expr {
	switch name {
	case "meta":
		return loadMeta{key: a.number(unix.NFTA_META_KEY), reg: a.number(unix.NFTA_META_DREG)}
	case "payload":
		return readHeader(a)
	case "ct":
		return loadTrack{key: a.number(unix.NFTA_CT_KEY), reg: a.number(unix.NFTA_CT_DREG)}
	case "immediate":
		reg := a.number(unix.NFTA_IMMEDIATE_DREG)
		if reg == unix.NFT_REG_VERDICT {
			return readVerdict(a, unix.NFTA_IMMEDIATE_DATA)
		}
		return loadValue{reg: reg, data: a.value(unix.NFTA_IMMEDIATE_DATA)}
	case "bitwise":
		return readMask(a)
	case "cmp":
		return compare{reg: a.number(unix.NFTA_CMP_SREG), op: a.number(unix.NFTA_CMP_OP), data: a.value(unix.NFTA_CMP_DATA)}
	case "lookup":
		return readLookup(a)
	case "fib":
		return loadFIB{result: a.number(fibResult), flags: a.number(fibFlags), reg: a.number(fibReg)}
	case "counter":
		a.take(unix.NFTA_COUNTER_BYTES)
		a.take(unix.NFTA_COUNTER_PACKETS)
		return count{}
	case "limit":
		return readLimit(a)
	case "reject":
		return readReject(a)
	case "masq":
		return readMasquerade(a)
	case "nat":
		return readTranslate(a)
	}
	return nil
}

func readLookup(a *attrs) expr {
	set, reg := a.text(unix.NFTA_LOOKUP_SET), a.number(unix.NFTA_LOOKUP_SREG)
	// Without a register for the result it is a set and no map.
	if a.values[unix.NFTA_LOOKUP_DREG] == nil {
		return member{set, reg, a.number(unix.NFTA_LOOKUP_FLAGS) == lookupInverse}
	}
	if into := a.number(unix.NFTA_LOOKUP_DREG); into != unix.NFT_REG_VERDICT {
		return find{set, reg, into}
	}
	return dispatch{set, reg}
}

func readHeader(a *attrs) expr {
	base := a.number(unix.NFTA_PAYLOAD_BASE)
	if base != unix.NFT_PAYLOAD_NETWORK_HEADER && base != unix.NFT_PAYLOAD_TRANSPORT_HEADER {
		return nil
	}
	if source := a.number(unix.NFTA_PAYLOAD_SREG); source != 0 {
		return readZeroChecksum(a, base, source)
	}
	return loadHeader{
		transport: base == unix.NFT_PAYLOAD_TRANSPORT_HEADER,
		offset:    a.number(unix.NFTA_PAYLOAD_OFFSET),
		length:    a.number(unix.NFTA_PAYLOAD_LEN),
		reg:       a.number(unix.NFTA_PAYLOAD_DREG),
	}
}

func readZeroChecksum(a *attrs, base, source uint32) expr {
	if base != unix.NFT_PAYLOAD_TRANSPORT_HEADER || a.number(unix.NFTA_PAYLOAD_OFFSET) != checksumOffset ||
		a.number(unix.NFTA_PAYLOAD_LEN) != 2 || a.number(unix.NFTA_PAYLOAD_CSUM_TYPE) != unix.NFT_PAYLOAD_CSUM_INET ||
		a.number(unix.NFTA_PAYLOAD_CSUM_OFFSET) != checksumOffset {
		return nil
	}
	return zeroChecksum{source}
}

func readMask(a *attrs) expr {
	reg, source := a.number(unix.NFTA_BITWISE_DREG), a.number(unix.NFTA_BITWISE_SREG)
	data, xor := a.value(unix.NFTA_BITWISE_MASK), a.value(unix.NFTA_BITWISE_XOR)
	if reg != source || !zero([]byte(xor)) || int(a.number(unix.NFTA_BITWISE_LEN)) != len(data) {
		return nil
	}
	return mask{reg: reg, data: data}
}

func readVerdict(a *attrs, kind int) expr {
	data := a.nested(kind)
	v := data.nested(unix.NFTA_DATA_VERDICT)
	x := verdict{code: int32(v.number(unix.NFTA_VERDICT_CODE)), chain: v.text(unix.NFTA_VERDICT_CHAIN)}
	if data.rest() || v.rest() {
		return nil
	}
	return x
}

func readReject(a *attrs) expr {
	x := reject{how: a.number(unix.NFTA_REJECT_TYPE)}
	switch code := a.take(unix.NFTA_REJECT_ICMP_CODE); {
	case len(code) == 1:
		x.code = uint32(code[0])
	case code != nil:
		return nil
	}
	return x
}

// implied are the flags that the kernel sets by itself where there are addresses or ports.
const implied = mapsAddrs | mapsPorts

const (
	mapsAddrs = 1 // NF_NAT_RANGE_MAP_IPS
	mapsPorts = 2 // NF_NAT_RANGE_PROTO_SPECIFIED
)

func readMasquerade(a *attrs) expr {
	x := masquerade{
		portMin: a.number(unix.NFTA_MASQ_REG_PROTO_MIN),
		portMax: a.number(unix.NFTA_MASQ_REG_PROTO_MAX),
		flags:   a.number(unix.NFTA_MASQ_FLAGS) &^ implied,
	}
	x.portMax, x.flags = rangeEnd(x.portMin, x.portMax), x.flags|portFlags(x.portMin)
	return x
}

func readTranslate(a *attrs) expr {
	x := translate{
		how:     a.number(unix.NFTA_NAT_TYPE),
		family:  a.number(unix.NFTA_NAT_FAMILY),
		addrMin: a.number(unix.NFTA_NAT_REG_ADDR_MIN), addrMax: a.number(unix.NFTA_NAT_REG_ADDR_MAX),
		portMin: a.number(unix.NFTA_NAT_REG_PROTO_MIN), portMax: a.number(unix.NFTA_NAT_REG_PROTO_MAX),
		flags: a.number(unix.NFTA_NAT_FLAGS) &^ implied,
	}
	x.addrMax, x.portMax = rangeEnd(x.addrMin, x.addrMax), rangeEnd(x.portMin, x.portMax)
	x.flags |= portFlags(x.portMin)
	return x
}

// rangeEnd is no register if it is the one the range begins with, which is how the kernel lists it.
func rangeEnd(first, last uint32) uint32 {
	if first == last {
		return 0
	}
	return last
}

func portFlags(port uint32) uint32 {
	if port == 0 {
		return 0
	}
	return mapsPorts
}
