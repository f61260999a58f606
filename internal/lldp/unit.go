// SPDX-License-Identifier: Apache-2.0

// Package lldp reads and writes what neighbours on an Ethernet link tell each other by LLDP, as far as it is about edge
// virtual bridging: whether a switch sends frames back through the port they came in by, and whether a station asks it to.
// It is values and bytes only; sockets are for others.
package lldp

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"unicode"
	"unicode/utf8"
)

// EtherType is the type of frames with a [Unit].
const EtherType = 0x88cc

// Groups that units are sent to: that of the nearest bridge of whatever kind, and that of the nearest one of a customer,
// which is the one of edge virtual bridging.
var (
	NearestBridge         = [6]byte{0x01, 0x80, 0xc2, 0, 0, 0x0e}
	NearestCustomerBridge = [6]byte{0x01, 0x80, 0xc2, 0, 0, 0}
)

// A Unit is what is told in one frame (an LLDPDU).
type Unit struct {
	Chassis ChassisID
	Port    PortID
	// TTL is how many seconds it holds. The receiver of 0 forgets what it was told.
	TTL uint16
	// EVB is that of 802.1Qbg-2012, and Draft that of the draft before it; nil if it is not there.
	EVB   *EVB
	Draft *Draft
}

// A ChassisID says who speaks.
type ChassisID struct {
	Kind byte
	ID   string // raw bytes
}

// A PortID says by which port.
type PortID struct {
	Kind byte
	ID   string // raw bytes
}

// The kinds of identities that stations use here: a hardware address and the name of a device.
const (
	ChassisMAC = 4
	PortName   = 5

	portMAC     = 3
	addressKind = 5 // of a chassis
)

// The types of TLVs.
const (
	tlvEnd     = 0
	tlvChassis = 1
	tlvPort    = 2
	tlvTTL     = 3
	tlvOrg     = 127
)

// errShort is a unit that ends within a TLV.
var errShort = errors.New("it ends too soon")

// Parse reads the payload of a frame of type [EtherType]. TLVs of other organizations are passed over. What is no unit, or
// has one of the wrong length, wraps fs.ErrInvalid.
func Parse(payload []byte) (Unit, error) {
	var u Unit
	seen := 0
	err := eachTLV(payload, func(kind byte, value []byte) error {
		seen++
		if want := byte(seen); seen <= tlvTTL && kind != want {
			return fmt.Errorf("TLV %d is of type %d, not %d", seen, kind, want)
		}
		return u.take(kind, value)
	})
	if err == nil && seen < tlvTTL {
		err = errShort
	}
	if err != nil {
		return Unit{}, fmt.Errorf("LLDP: %w: %w", err, fs.ErrInvalid)
	}
	return u, nil
}

// eachTLV hands over the TLVs up to the end.
func eachTLV(b []byte, take func(kind byte, value []byte) error) error {
	for len(b) >= 2 {
		head := binary.BigEndian.Uint16(b)
		kind, n := byte(head>>9), int(head&0x1ff)
		if kind == tlvEnd {
			return nil
		}
		if b = b[2:]; n > len(b) {
			return errShort
		}
		if err := take(kind, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil // some leave the end out
}

func (u *Unit) take(kind byte, value []byte) error {
	switch kind {
	case tlvChassis, tlvPort:
		if len(value) < 2 || len(value) > 256 {
			return fmt.Errorf("an identity of %d bytes", len(value))
		}
		if kind == tlvChassis {
			u.Chassis = ChassisID{value[0], string(value[1:])}
		} else {
			u.Port = PortID{value[0], string(value[1:])}
		}
	case tlvTTL:
		if len(value) < 2 {
			return errShort
		}
		u.TTL = binary.BigEndian.Uint16(value)
	case tlvOrg:
		return u.takeOrg(value)
	}
	return nil
}

func (u *Unit) takeOrg(value []byte) (err error) {
	if len(value) < 4 {
		return errShort
	}
	switch [4]byte(value) {
	case evbID:
		u.EVB, err = parseEVB(value[4:])
	case draftID:
		u.Draft, err = parseDraft(value[4:])
	}
	return err
}

// Append adds the unit to b as the payload of a frame.
func (u Unit) Append(b []byte) []byte {
	b = appendTLV(b, tlvChassis, append([]byte{u.Chassis.Kind}, u.Chassis.ID...))
	b = appendTLV(b, tlvPort, append([]byte{u.Port.Kind}, u.Port.ID...))
	b = appendTLV(b, tlvTTL, binary.BigEndian.AppendUint16(nil, u.TTL))
	if u.EVB != nil {
		b = appendTLV(b, tlvOrg, u.EVB.append(evbID[:]))
	}
	if u.Draft != nil {
		b = appendTLV(b, tlvOrg, u.Draft.append(draftID[:]))
	}
	return appendTLV(b, tlvEnd, nil)
}

func appendTLV(b []byte, kind byte, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(kind)<<9|uint16(len(value)))
	return append(b, value...)
}

// String is the identity as text: addresses in their own form, names as they are, and hexadecimal digits of what is not
// to be printed.
func (c ChassisID) String() string {
	if c.Kind == addressKind && len(c.ID) > 1 {
		return addressText(c.ID)
	}
	return idText(c.Kind == ChassisMAC, c.ID)
}

// String is the identity as text, like that of a [ChassisID].
func (p PortID) String() string { return idText(p.Kind == portMAC, p.ID) }

// addressText is a network address behind its family.
func addressText(id string) string {
	const ipv4, ipv6 = 1, 2
	if address := net.IP(id[1:]); id[0] == ipv4 && len(address) == net.IPv4len || id[0] == ipv6 && len(address) == net.IPv6len {
		return address.String()
	}
	return hex.EncodeToString([]byte(id))
}

func idText(isMAC bool, id string) string {
	if isMAC && len(id) == 6 {
		return net.HardwareAddr(id).String()
	}
	if !utf8.ValidString(id) {
		return hex.EncodeToString([]byte(id))
	}
	for _, r := range id {
		if !unicode.IsPrint(r) {
			return hex.EncodeToString([]byte(id))
		}
	}
	return id
}
