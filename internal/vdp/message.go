// SPDX-License-Identifier: Apache-2.0

// Package vdp reads and writes the messages by which a station and a switch agree on guests: VDP of 802.1Qbg-2012, carried
// by ECP, which repeats what is not acknowledged. It is values and bytes only; sockets are for others.
package vdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
)

// EtherType is the type of frames with a [Message].
const EtherType = 0x8940

// Group is the address that messages are sent to: the nearest bridge of a customer.
var Group = [6]byte{0x01, 0x80, 0xc2, 0, 0, 0}

// A Message is what one frame carries.
type Message struct {
	// Ack says that it only acknowledges the message of the other side with this Sequence, and has no VSIs.
	Ack      bool
	Sequence uint16
	VSIs     []VSI
}

// A Mode is what is to become of a guest, or has.
type Mode uint8

// The modes.
const (
	Preassociate   Mode = 1
	PreassociateRR Mode = 2 // with resources reserved
	Associate      Mode = 3
	Disassociate   Mode = 4
)

// A Status is the answer of a switch. That of a station is 0.
type Status uint8

const (
	// Answer is set in what answers a station. A switch that ends an association by itself does not set it.
	Answer Status = 0x40
	// Keep says that what held before holds on, and Hard that there is no use in trying again.
	Keep Status = 0x20
	Hard Status = 0x10
	// Reason is why the switch refuses; 0 is consent.
	Reason Status = 0x0f
)

// A VSI is a guest's interface as a switch knows it.
type VSI struct {
	Mode   Mode
	Status Status
	// Manager is the database of profiles, Type (24 bits) the profile in it and Version which one of that.
	Manager [16]byte
	Type    uint32
	Version uint8
	// Instance names the interface, as a UUID.
	Instance [16]byte
	Filters  []Filter
}

// A Filter is an address in a VLAN that the guest uses.
type Filter struct {
	MAC [6]byte
	// VLAN may have a priority in the four bits above the number.
	VLAN uint16
}

const (
	version     = 1 << 12
	opMask      = 3 << 10
	opAck       = 1 << 10
	subtypeMask = 0x3ff
	subtypeVDP  = 1

	tlvManager = 5
	formatUUID = 5
	filterMAC  = 2 // address and VLAN
	filterSize = 8

	fixedSize = 1 + 3 + 1 + 1 + 16 + 1 + 2
)

var errShort = errors.New("it ends too soon")

// Parse reads the payload of a frame of type [EtherType]. Guests that are named or described in another way than here are
// passed over. What is no message of VDP wraps fs.ErrInvalid.
func Parse(payload []byte) (Message, error) {
	m, err := parse(payload)
	if err != nil {
		return Message{}, fmt.Errorf("ECP: %w: %w", err, fs.ErrInvalid)
	}
	return m, nil
}

func parse(b []byte) (m Message, err error) {
	if len(b) < 4 {
		return m, errShort
	}
	head := binary.BigEndian.Uint16(b)
	switch {
	case head&0xf000 != version:
		return m, fmt.Errorf("version %d", head>>12)
	case head&subtypeMask != subtypeVDP:
		return m, fmt.Errorf("subtype %d is not VDP", head&subtypeMask)
	case head&opMask > opAck:
		return m, fmt.Errorf("operation %d", head&opMask>>10)
	}
	m.Sequence, m.Ack = binary.BigEndian.Uint16(b[2:]), head&opMask == opAck
	if m.Ack {
		return m, nil
	}
	var manager [16]byte
	for b = b[4:]; len(b) >= 2; {
		head := binary.BigEndian.Uint16(b)
		kind, n := byte(head>>9), int(head&0x1ff)
		if b = b[2:]; n > len(b) {
			return m, errShort
		}
		value := b[:n]
		b = b[n:]
		switch {
		case kind == 0:
			return m, nil
		case kind == tlvManager && n != len(manager):
			return m, fmt.Errorf("a manager of %d bytes", n)
		case kind == tlvManager:
			manager = [16]byte(value)
		case Mode(kind) <= Disassociate:
			v, ok, err := parseVSI(value)
			if err != nil {
				return m, err
			}
			if ok {
				v.Mode, v.Manager = Mode(kind), manager
				m.VSIs = append(m.VSIs, v)
			}
		}
	}
	return m, nil
}

// parseVSI is not ok if the guest is named or described in another way.
func parseVSI(b []byte) (v VSI, ok bool, err error) {
	if len(b) < fixedSize {
		return v, false, errShort
	}
	v.Status = Status(b[0])
	v.Type = uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v.Version = b[4]
	v.Instance = [16]byte(b[6:22])
	if b[5] != formatUUID || b[22] != filterMAC {
		return v, false, nil
	}
	count := int(binary.BigEndian.Uint16(b[23:]))
	if b = b[fixedSize:]; len(b) < count*filterSize {
		return v, false, errShort
	}
	for ; count > 0; count-- {
		v.Filters = append(v.Filters, Filter{MAC: [6]byte(b), VLAN: binary.BigEndian.Uint16(b[6:])})
		b = b[filterSize:]
	}
	return v, true, nil
}

// MaxFilters is how many filters of one guest a message can have.
const MaxFilters = (0x1ff - fixedSize) / filterSize

// Append adds the message to b as the payload of a frame. The manager is named before each guest of another one.
func (m Message) Append(b []byte) []byte {
	head := uint16(version | subtypeVDP)
	if m.Ack {
		head |= opAck
	}
	b = binary.BigEndian.AppendUint16(b, head)
	b = binary.BigEndian.AppendUint16(b, m.Sequence)
	for i, v := range m.VSIs {
		if i == 0 || v.Manager != m.VSIs[i-1].Manager {
			b = append(appendHead(b, tlvManager, len(v.Manager)), v.Manager[:]...)
		}
		b = v.append(b)
	}
	return b
}

func appendHead(b []byte, kind byte, n int) []byte {
	return binary.BigEndian.AppendUint16(b, uint16(kind)<<9|uint16(n))
}

func (v VSI) append(b []byte) []byte {
	b = appendHead(b, byte(v.Mode), fixedSize+len(v.Filters)*filterSize)
	b = append(b, byte(v.Status), byte(v.Type>>16), byte(v.Type>>8), byte(v.Type), v.Version, formatUUID)
	b = append(b, v.Instance[:]...)
	b = append(b, filterMAC)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v.Filters)))
	for _, f := range v.Filters {
		b = append(b, f.MAC[:]...)
		b = binary.BigEndian.AppendUint16(b, f.VLAN)
	}
	return b
}
