// SPDX-License-Identifier: Apache-2.0

package lldp

import "fmt"

// evbID is the organization 802.1 and its number for the TLV.
var evbID = [4]byte{0x00, 0x80, 0xc2, 0x0d}

// An EVB is what a bridge and a station tell each other of edge virtual bridging by 802.1Qbg-2012. Each repeats what it
// has heard of the other, so that both know what is agreed on.
//
// Times are given as exponents: 10 microseconds times two to their power.
type EVB struct {
	// Role is who speaks.
	Role Role
	// RelayCapable says that the bridge can send frames back through the port they came in by, and RelayActive that it does.
	RelayCapable, RelayActive bool
	// BridgeGroups and StationGroups say that the one and the other tell groups of VLANs apart.
	BridgeGroups, StationGroups bool
	// RelayRequest says that the station asks for that, and RelayStatus whether it gets it.
	RelayRequest bool
	RelayStatus  RelayStatus
	// Retries is how often a message of ECP is sent again, at most 7, and Retransmit the time in between.
	Retries, Retransmit uint8
	// Wait is how long the station waits for an answer of VDP, and KeepAlive how often it repeats what holds. Heard says of
	// each that it is that of the other side.
	Wait, KeepAlive           uint8
	WaitHeard, KeepAliveHeard bool
}

// A Role is a side of edge virtual bridging.
type Role uint8

// The roles. NoRole is that of one who does not know yet.
const (
	NoRole Role = iota
	Bridge
	Station
)

// A RelayStatus is what a station knows of the relay.
type RelayStatus uint8

// What a station knows.
const (
	RelayInactive RelayStatus = 0
	RelayWorks    RelayStatus = 1
	RelayUnknown  RelayStatus = 3
)

// The bits of the two bytes of state and the three behind.
const (
	bridgeGroups  = 0x04
	relayCapable  = 0x02
	relayActive   = 0x01
	stationGroups = 0x08
	relayRequest  = 0x04
	relayStatus   = 0x03
	heard         = 0x20
	exponent      = 0x1f
)

// With is what a station says that offers this, when it has heard that of a bridge: of each time the longer one, and of the
// bridge's state what it has said.
func (e EVB) With(bridge EVB) EVB {
	e.RelayCapable, e.RelayActive, e.BridgeGroups = bridge.RelayCapable, bridge.RelayActive, bridge.BridgeGroups
	e.RelayStatus = RelayInactive
	if bridge.RelayActive {
		e.RelayStatus = RelayWorks
	}
	e.Retries, e.Retransmit = max(e.Retries, bridge.Retries), max(e.Retransmit, bridge.Retransmit)
	e.WaitHeard, e.KeepAliveHeard = bridge.Wait >= e.Wait, bridge.KeepAlive >= e.KeepAlive
	e.Wait, e.KeepAlive = max(e.Wait, bridge.Wait), max(e.KeepAlive, bridge.KeepAlive)
	return e
}

func parseEVB(b []byte) (*EVB, error) {
	if len(b) != 5 {
		return nil, fmt.Errorf("the TLV of 802.1Qbg has %d bytes, not 9", len(b)+4)
	}
	return &EVB{
		RelayCapable: b[0]&relayCapable != 0, RelayActive: b[0]&relayActive != 0, BridgeGroups: b[0]&bridgeGroups != 0,
		StationGroups: b[1]&stationGroups != 0, RelayRequest: b[1]&relayRequest != 0, RelayStatus: RelayStatus(b[1] & relayStatus),
		Retries: b[2] >> 5, Retransmit: b[2] & exponent,
		Role: Role(b[3] >> 6), WaitHeard: b[3]&heard != 0, Wait: b[3] & exponent,
		KeepAliveHeard: b[4]&heard != 0, KeepAlive: b[4] & exponent,
	}, nil
}

func (e *EVB) append(b []byte) []byte {
	return append(b[:len(b):len(b)],
		bit(e.BridgeGroups, bridgeGroups)|bit(e.RelayCapable, relayCapable)|bit(e.RelayActive, relayActive),
		bit(e.StationGroups, stationGroups)|bit(e.RelayRequest, relayRequest)|byte(e.RelayStatus)&relayStatus,
		e.Retries<<5|e.Retransmit&exponent,
		byte(e.Role)<<6|bit(e.WaitHeard, heard)|e.Wait&exponent,
		bit(e.KeepAliveHeard, heard)|e.KeepAlive&exponent,
	)
}

func bit(on bool, mask byte) byte {
	if on {
		return mask
	}
	return 0
}
