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
	bpfLength = 4
	bpfOps    = 5

	csumParms  = 1
	csumAction = 8
	csumUpdate = 20
	csumSize   = 24
	csumUDP    = 16

	unspec = 0xffffffff // TC_ACT_UNSPEC: the next filter is asked
)

// fillPreference is the priority of the filter that fills in checksums: one priority holds filters of one kind.
const fillPreference = preference + 1

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

// fills are the parameters of the action that fills in the checksums of UDP, and lets the next filter decide.
func fills() []byte {
	parms := make([]byte, csumSize)
	binary.NativeEndian.PutUint32(parms[csumAction:], unspec)
	binary.NativeEndian.PutUint32(parms[csumUpdate:], csumUDP)
	return parms
}

// AddFill fills in the checksums of what a link with a place for filters sends to clients of DHCP and DHCPv6.
func (c *Conn) AddFill(index int) error {
	ops, err := program(toClients)
	if err != nil {
		return err
	}
	return c.addFilter(fillPlace(index, 0), func(ae *netlink.AttributeEncoder) {
		ae.Uint16(bpfLength, uint16(len(toClients)))
		ae.Bytes(bpfOps, ops)
		action(ae, bpfAct, "csum", func(ae *netlink.AttributeEncoder) { ae.Bytes(csumParms, fills()) })
	})
}

func fillPlace(index int, handle uint32) place {
	return place{index: index, parent: Egress, handle: handle, kind: "bpf", preference: fillPreference}
}

// Fills are the handles of the filters of a link that AddFill has made.
func (c *Conn) Fills(index int) (handles []uint32, err error) {
	filters, err := c.Filters(index, Egress)
	for _, f := range filters {
		if f.Fills {
			handles = append(handles, f.Handle)
		}
	}
	return handles, err
}

// DelFill takes such a filter away.
func (c *Conn) DelFill(index int, handle uint32) error {
	return c.delFilter(fillPlace(index, handle))
}

// parseFill is whether the options of a filter of kind bpf are those of AddFill.
func parseFill(options []byte) (same bool, err error) {
	ops, err := program(toClients)
	if err != nil {
		return false, err
	}
	var is, parms []byte
	err = attributes(options, func(attribute uint16, b []byte) error {
		switch attribute {
		case bpfOps:
			is = slices.Clone(b)
		case bpfAct:
			return attributes(b, func(_ uint16, b []byte) error {
				return readAction(b, func(kind string, data []byte) error {
					if kind != "csum" {
						return nil
					}
					return attributes(data, func(attribute uint16, b []byte) error {
						if attribute == csumParms {
							parms = slices.Clone(b)
						}
						return nil
					})
				})
			})
		}
		return nil
	})
	return slices.Equal(is, ops) && field(parms, csumAction) == unspec && field(parms, csumUpdate) == csumUDP, err
}
