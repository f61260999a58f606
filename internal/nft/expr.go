// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// An expr is one step of a rule, as the kernel runs it. Two that are equal do the same.
type expr interface {
	// kind is the kernel's name for it.
	kind() string
	put(w *writer)
}

// The steps that rules of this package consist of. A reg is the number of one of the kernel's four registers, 0 is none.
type (
	// loadMeta puts a property of the packet into a register.
	loadMeta struct{ key, reg uint32 }
	// loadHeader puts bytes of the IP header, or of the one behind it, into a register.
	loadHeader struct {
		transport           bool
		offset, length, reg uint32
	}
	// zeroChecksum writes zero from a register to where UDP has its checksum.
	zeroChecksum struct{ reg uint32 }
	// loadTrack puts a property of the connection into a register.
	loadTrack struct{ key, reg uint32 }
	// loadValue puts bytes into a register.
	loadValue struct {
		reg  uint32
		data string
	}
	// mask clears the bits of a register that are not set in data.
	mask struct {
		reg  uint32
		data string
	}
	// compare ends the rule unless the register is equal to data, or not equal if op is NFT_CMP_NEQ.
	compare struct {
		reg, op uint32
		data    string
	}
	// loadFIB puts into a register what kind of address the destination is to this machine.
	loadFIB struct{ result, flags, reg uint32 }
	// dispatch goes where a verdict map says.
	dispatch struct {
		set string
		reg uint32
	}
	// find puts what a map has for a register into another one, and ends the rule if it has nothing.
	find struct {
		set       string
		reg, into uint32
	}
	// member ends the rule unless a register is in a set or, with not, is in none.
	member struct {
		set string
		reg uint32
		not bool
	}
	// count counts packets.
	count struct{}
	// verdict is what becomes of the packet. Chain is for jumps.
	verdict struct {
		code  int32
		chain string
	}
	// reject drops the packet and tells its sender.
	reject struct{ how, code uint32 }
	// masquerade and translate give the packet another address and perhaps another port: translate the source or the
	// destination, as how says. Registers hold the ends of the ranges; a range that ends where it begins has no max.
	masquerade struct{ portMin, portMax, flags uint32 }
	translate  struct{ how, family, addrMin, addrMax, portMin, portMax, flags uint32 }
	// unknown is a step of somebody else's rule.
	unknown struct{ name string }
)

func (loadMeta) kind() string     { return "meta" }
func (loadHeader) kind() string   { return "payload" }
func (loadTrack) kind() string    { return "ct" }
func (loadValue) kind() string    { return "immediate" }
func (mask) kind() string         { return "bitwise" }
func (compare) kind() string      { return "cmp" }
func (loadFIB) kind() string      { return "fib" }
func (dispatch) kind() string     { return "lookup" }
func (find) kind() string         { return "lookup" }
func (zeroChecksum) kind() string { return "payload" }
func (member) kind() string       { return "lookup" }
func (count) kind() string        { return "counter" }
func (verdict) kind() string      { return "immediate" }
func (reject) kind() string       { return "reject" }
func (masquerade) kind() string   { return "masq" }
func (translate) kind() string    { return "nat" }
func (x unknown) kind() string    { return x.name }

func (x loadMeta) put(w *writer) {
	w.number(unix.NFTA_META_KEY, x.key)
	w.number(unix.NFTA_META_DREG, x.reg)
}

func (x loadHeader) put(w *writer) {
	w.number(unix.NFTA_PAYLOAD_DREG, x.reg)
	if x.transport {
		w.number(unix.NFTA_PAYLOAD_BASE, unix.NFT_PAYLOAD_TRANSPORT_HEADER)
	} else {
		w.number(unix.NFTA_PAYLOAD_BASE, unix.NFT_PAYLOAD_NETWORK_HEADER)
	}
	w.number(unix.NFTA_PAYLOAD_OFFSET, x.offset)
	w.number(unix.NFTA_PAYLOAD_LEN, x.length)
}

// checksumOffset is where UDP has its checksum.
const checksumOffset = 6

func (x zeroChecksum) put(w *writer) {
	w.number(unix.NFTA_PAYLOAD_SREG, x.reg)
	w.number(unix.NFTA_PAYLOAD_BASE, unix.NFT_PAYLOAD_TRANSPORT_HEADER)
	w.number(unix.NFTA_PAYLOAD_OFFSET, checksumOffset)
	w.number(unix.NFTA_PAYLOAD_LEN, 2)
	w.number(unix.NFTA_PAYLOAD_CSUM_TYPE, unix.NFT_PAYLOAD_CSUM_INET)
	w.number(unix.NFTA_PAYLOAD_CSUM_OFFSET, checksumOffset)
	w.number(unix.NFTA_PAYLOAD_CSUM_FLAGS, 0)
}

func (x loadTrack) put(w *writer) {
	w.number(unix.NFTA_CT_KEY, x.key)
	w.number(unix.NFTA_CT_DREG, x.reg)
}

func (x loadValue) put(w *writer) {
	w.number(unix.NFTA_IMMEDIATE_DREG, x.reg)
	w.value(unix.NFTA_IMMEDIATE_DATA, x.data)
}

func (x mask) put(w *writer) {
	w.number(unix.NFTA_BITWISE_SREG, x.reg)
	w.number(unix.NFTA_BITWISE_DREG, x.reg)
	w.number(unix.NFTA_BITWISE_LEN, uint32(len(x.data)))
	w.value(unix.NFTA_BITWISE_MASK, x.data)
	w.value(unix.NFTA_BITWISE_XOR, string(make([]byte, len(x.data))))
}

func (x compare) put(w *writer) {
	w.number(unix.NFTA_CMP_SREG, x.reg)
	w.number(unix.NFTA_CMP_OP, x.op)
	w.value(unix.NFTA_CMP_DATA, x.data)
}

// The attributes of fib, and what of it is used: the kind of the destination's address.
const (
	fibReg    = 1 // NFTA_FIB_DREG
	fibResult = 2 // NFTA_FIB_RESULT
	fibFlags  = 3 // NFTA_FIB_FLAGS

	fibKind = 3      // NFT_FIB_RESULT_ADDRTYPE
	fibDest = 1 << 1 // NFTA_FIB_F_DADDR
)

func (x loadFIB) put(w *writer) {
	w.number(fibReg, x.reg)
	w.number(fibResult, x.result)
	w.number(fibFlags, x.flags)
}

func (x dispatch) put(w *writer) {
	w.text(unix.NFTA_LOOKUP_SET, x.set)
	w.number(unix.NFTA_LOOKUP_SREG, x.reg)
	w.number(unix.NFTA_LOOKUP_DREG, unix.NFT_REG_VERDICT)
}

func (x find) put(w *writer) {
	w.text(unix.NFTA_LOOKUP_SET, x.set)
	w.number(unix.NFTA_LOOKUP_SREG, x.reg)
	w.number(unix.NFTA_LOOKUP_DREG, x.into)
}

const lookupInverse = 1 // NFT_LOOKUP_F_INV

func (x member) put(w *writer) {
	w.text(unix.NFTA_LOOKUP_SET, x.set)
	w.number(unix.NFTA_LOOKUP_SREG, x.reg)
	flags := uint32(0)
	if x.not {
		flags = lookupInverse
	}
	w.number(unix.NFTA_LOOKUP_FLAGS, flags)
}

func (count) put(*writer) {}

func (x verdict) put(w *writer) {
	w.number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT)
	w.verdict(unix.NFTA_IMMEDIATE_DATA, x)
}

// String is where it leads to, in nft's words.
func (x verdict) String() string {
	switch x.code {
	case unix.NFT_JUMP:
		return "jump " + x.chain
	case unix.NFT_GOTO:
		return "goto " + x.chain
	case unix.NFT_RETURN:
		return "return"
	case drop:
		return "drop"
	case accept:
		return "accept"
	}
	return fmt.Sprintf("verdict %d", x.code)
}

func (w *writer) verdict(kind uint16, v verdict) {
	w.nested(kind, func() {
		w.nested(unix.NFTA_DATA_VERDICT, func() {
			w.number(unix.NFTA_VERDICT_CODE, uint32(v.code))
			if v.chain != "" {
				w.text(unix.NFTA_VERDICT_CHAIN, v.chain)
			}
		})
	})
}

func (x reject) put(w *writer) {
	w.number(unix.NFTA_REJECT_TYPE, x.how)
	w.bytes(unix.NFTA_REJECT_ICMP_CODE, []byte{byte(x.code)})
}

func (x masquerade) put(w *writer) {
	w.some(unix.NFTA_MASQ_REG_PROTO_MIN, x.portMin)
	w.some(unix.NFTA_MASQ_REG_PROTO_MAX, x.portMax)
	w.some(unix.NFTA_MASQ_FLAGS, x.flags)
}

func (x translate) put(w *writer) {
	w.number(unix.NFTA_NAT_TYPE, x.how)
	w.number(unix.NFTA_NAT_FAMILY, x.family)
	w.some(unix.NFTA_NAT_REG_ADDR_MIN, x.addrMin)
	w.some(unix.NFTA_NAT_REG_ADDR_MAX, x.addrMax)
	w.some(unix.NFTA_NAT_REG_PROTO_MIN, x.portMin)
	w.some(unix.NFTA_NAT_REG_PROTO_MAX, x.portMax)
	w.some(unix.NFTA_NAT_FLAGS, x.flags)
}

func (unknown) put(*writer) {}

// some is a number unless it is 0.
func (w *writer) some(kind uint16, value uint32) {
	if value != 0 {
		w.number(kind, value)
	}
}

// program writes the steps of a rule.
func (w *writer) program(kind uint16, steps []expr) {
	w.nested(kind, func() {
		for _, x := range steps {
			w.nested(unix.NFTA_LIST_ELEM, func() {
				w.text(unix.NFTA_EXPR_NAME, x.kind())
				w.nested(unix.NFTA_EXPR_DATA, func() { x.put(w) })
			})
		}
	})
}
