// SPDX-License-Identifier: Apache-2.0

package lldp

import (
	"encoding/binary"
	"fmt"
)

// draftID is the organization that wrote the draft and its number for the TLV.
var draftID = [4]byte{0x00, 0x1b, 0x3f, 0x00}

// A Draft is what a bridge or a station tells of edge virtual bridging by draft 0 of 802.1Qbg, which some switches still
// speak.
type Draft struct {
	// Supported is what the speaker can do, Configured what it does.
	Supported, Configured Abilities
	// Retransmit is the time between two tries of ECP, as an exponent: 10 microseconds times two to its power.
	Retransmit uint8
}

// Abilities are modes of forwarding, protocols, and a number of associations.
type Abilities struct {
	// Standard is forwarding as bridges do it, and Relay sends frames back through the port they came in by.
	Standard, Relay bool
	// Timers is the exchange of Retransmit; ECP carries VDP, by which guests are associated.
	Timers, ECP, VDP bool
	Associations     uint16
}

const (
	standardMode = 0x80
	relayMode    = 0x40
	draftTimers  = 4
	draftECP     = 2
	draftVDP     = 1
)

func parseDraft(b []byte) (*Draft, error) {
	if len(b) != 9 {
		return nil, fmt.Errorf("the TLV of the draft of 802.1Qbg has %d bytes, not 13", len(b)+4)
	}
	return &Draft{
		Supported:  parseAbilities(b[0], b[1], b[4:]),
		Configured: parseAbilities(b[2], b[3], b[6:]),
		Retransmit: b[8],
	}, nil
}

func parseAbilities(mode, protocols byte, associations []byte) Abilities {
	return Abilities{
		Standard: mode&standardMode != 0, Relay: mode&relayMode != 0,
		Timers: protocols&draftTimers != 0, ECP: protocols&draftECP != 0, VDP: protocols&draftVDP != 0,
		Associations: binary.BigEndian.Uint16(associations),
	}
}

func (d *Draft) append(b []byte) []byte {
	b = append(b[:len(b):len(b)], d.Supported.mode(), d.Supported.protocols(), d.Configured.mode(), d.Configured.protocols())
	b = binary.BigEndian.AppendUint16(b, d.Supported.Associations)
	b = binary.BigEndian.AppendUint16(b, d.Configured.Associations)
	return append(b, d.Retransmit)
}

func (a Abilities) mode() byte { return bit(a.Standard, standardMode) | bit(a.Relay, relayMode) }

func (a Abilities) protocols() byte {
	return bit(a.Timers, draftTimers) | bit(a.ECP, draftECP) | bit(a.VDP, draftVDP)
}
