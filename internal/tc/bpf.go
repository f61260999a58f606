// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tc

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The attributes of filters of kind bpf, as far as they are programs of the classic kind, and those of the action csum.
const (
	bpfAct    = 1
	bpfClass  = 3
	bpfLength = 4
	bpfOps    = 5

	csumParms  = 1
	csumAction = 8
	csumUpdate = 20
	csumSize   = 24
	csumUDP    = 16

	unspec = 0xffffffff // TC_ACT_UNSPEC: the next filter is asked
)

// bpfPreference is the priority of filters of kind bpf: one priority holds filters of one kind.
const bpfPreference = preference + 1

// toClients finds what servers of DHCP and DHCPv6 send to their clients. It looks at the frame from its beginning.
var toClients = []bpf.Instruction{
	bpf.LoadExtension{Num: bpf.ExtProto},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipFalse: 7},
	bpf.LoadAbsolute{Off: 14 + 9, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipFalse: 10},
	bpf.LoadAbsolute{Off: 14 + 6, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: 8}, // a fragment
	bpf.LoadMemShift{Off: 14},
	bpf.LoadIndirect{Off: 14 + 2, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 68, SkipTrue: 6, SkipFalse: 5},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipFalse: 4},
	bpf.LoadAbsolute{Off: 14 + 6, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipFalse: 2},
	bpf.LoadAbsolute{Off: 14 + 40 + 2, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 546, SkipTrue: 1},
	bpf.RetConstant{Val: 0},
	bpf.RetConstant{Val: 0xffffffff},
}

// program is what the kernel is given: struct sock_filter for each instruction.
func program(instructions []bpf.Instruction) (ops []byte, err error) {
	raw, err := bpf.Assemble(instructions)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	for _, r := range raw {
		ops = binary.NativeEndian.AppendUint16(ops, r.Op)
		ops = append(ops, r.Jt, r.Jf)
		ops = binary.NativeEndian.AppendUint32(ops, r.K)
	}
	return ops, nil
}

// all finds every packet, and to finds what is sent to a station.
var all = []bpf.Instruction{bpf.RetConstant{Val: 0xffffffff}}

func to(mac [6]byte) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(mac[:]), SkipFalse: 3},
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipFalse: 1},
		bpf.RetConstant{Val: 0xffffffff},
		bpf.RetConstant{Val: 0},
	}
}

// bpfAt is the place of a filter of kind bpf.
func bpfAt(index int, parent Handle, handle uint32) place {
	return place{index: index, parent: parent, handle: handle, kind: "bpf", preference: bpfPreference}
}

// addProgram adds a filter of kind bpf, with what becomes of the packets that it finds.
func (c *Conn) addProgram(index int, parent Handle, finds []bpf.Instruction, then func(*netlink.AttributeEncoder)) error {
	ops, err := program(finds)
	if err != nil {
		return err
	}
	return c.addFilter(bpfAt(index, parent, 0), func(ae *netlink.AttributeEncoder) {
		ae.Uint16(bpfLength, uint16(len(finds)))
		ae.Bytes(bpfOps, ops)
		then(ae)
	})
}

// fills are the parameters of the action that fills in the checksums of UDP, and lets the next filter decide.
func fills() []byte {
	parms := make([]byte, csumSize)
	binary.NativeEndian.PutUint32(parms[csumAction:], unspec)
	binary.NativeEndian.PutUint32(parms[csumUpdate:], csumUDP)
	return parms
}

// AddFill fills in the checksums of what a link with a place for filters sends to clients of DHCP and DHCPv6.
func (c *Conn) AddFill(index int) error {
	return c.addProgram(index, Egress, toClients, func(ae *netlink.AttributeEncoder) {
		action(ae, bpfAct, "csum", func(ae *netlink.AttributeEncoder) { ae.Bytes(csumParms, fills()) })
	})
}

// Fills are the filters of a link that AddFill has made.
func (c *Conn) Fills(index int) (found []Filter, err error) {
	filters, err := c.Filters(index, Egress)
	for _, f := range filters {
		if f.Fills {
			found = append(found, f)
		}
	}
	return found, err
}

// parseProgram reads the options of a filter of kind bpf.
func parseProgram(options []byte, f *Filter) error {
	var ops []byte
	err := attributes(options, func(attribute uint16, b []byte) error {
		switch attribute {
		case bpfClass:
			f.Class = Handle(field(b, 0))
		case bpfOps:
			ops = slices.Clone(b)
		case bpfAct:
			return attributes(b, func(_ uint16, b []byte) error { return parseAction(b, f) })
		}
		return nil
	})
	if err != nil || f.Other != "" {
		return err
	}
	redirects, polices := f.Redirect != 0, f.Police != Police{}
	switch {
	case f.Fills:
		err = f.finds(ops, toClients)
	case redirects != polices:
		err = f.finds(ops, all)
	case !redirects && len(ops) == 6*8:
		var mac [6]byte
		binary.BigEndian.PutUint32(mac[:], field(ops, 8+4))
		binary.BigEndian.PutUint16(mac[4:], uint16(field(ops, 3*8+4)))
		if err = f.finds(ops, to(mac)); f.Other == "" {
			f.MAC = mac
		}
	default:
		f.Other = "filter bpf"
	}
	return err
}

// finds says what a filter is if its program is another.
func (f *Filter) finds(ops []byte, packets []bpf.Instruction) error {
	want, err := program(packets)
	if !slices.Equal(ops, want) {
		f.Other = "filter bpf with another program"
	}
	return err
}

func parseFill(b []byte, f *Filter) error {
	return attributes(b, func(attribute uint16, b []byte) error {
		if attribute == csumParms {
			if f.Fills = field(b, csumAction) == unspec && field(b, csumUpdate) == csumUDP; !f.Fills {
				f.Other = "action csum"
			}
		}
		return nil
	})
}
