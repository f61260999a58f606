// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/lldp"
	"github.com/go-virtnet/virtnet/internal/rtnl"
)

const (
	// stationTTL is how long what a station says holds. It says it again after stationPeriod, the first few times, when the
	// link may not carry anything yet, after fastPeriod.
	stationTTL    = 121
	stationPeriod = 30 * time.Second
	fastPeriod    = time.Second
	fastTries     = 4
)

// A station asks a switch to reflect.
type station struct {
	frames *frames
	// draft is whether the switch speaks only that.
	draft bool
	// last is what was said last, tries how often, and next is when to speak again.
	last  string
	tries int
	next  time.Time
}

// speak says what is to be said now, if anything is. Bridge is what the switch has said.
func (s *station) speak(bridge *lldp.EVB) error {
	unit := s.unit(bridge)
	text := string(unit.Append(nil))
	if text == s.last && time.Now().Before(s.next) {
		return nil
	}
	if text != s.last {
		s.last, s.tries = text, 0
	}
	err := s.frames.send(lldp.NearestCustomerBridge, []byte(text))
	if errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENOBUFS) {
		s.tries, err = 0, s.frames.there() // it may be up the next time
	}
	s.tries++
	period := stationPeriod
	if s.tries < fastTries {
		period = fastPeriod
	}
	s.next = time.Now().Add(period)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		err = fmt.Errorf("link %s: %w", s.frames.link.Name, fs.ErrNotExist)
	}
	return err
}

// stationOffer is what a station says to one whom it has not heard: it wants to be reflected, and its times are 2.56 ms for
// ECP, and 10.5 s for an answer of VDP and between two reminders.
var stationOffer = lldp.EVB{
	Role: lldp.Station, RelayRequest: true, RelayStatus: lldp.RelayUnknown, Retries: 3, Retransmit: 8, Wait: 20, KeepAlive: 20,
}

func (s *station) unit(bridge *lldp.EVB) lldp.Unit {
	u := unitOf(s.frames.link)
	u.TTL = stationTTL
	offer := stationOffer
	if bridge != nil {
		offer = offer.With(*bridge)
	}
	u.EVB = &offer
	if s.draft {
		u.Draft = &lldp.Draft{
			Supported:  lldp.Abilities{Standard: true, Relay: true, Timers: true},
			Configured: lldp.Abilities{Relay: true, Timers: true},
			Retransmit: stationOffer.Retransmit,
		}
	}
	return u
}

// leave tells the switch to forget the station.
func (s *station) leave() {
	_ = s.frames.send(lldp.NearestCustomerBridge, unitOf(s.frames.link).Append(nil))
}

// unitOf says who speaks.
func unitOf(l rtnl.Link) lldp.Unit {
	return lldp.Unit{
		Chassis: lldp.ChassisID{Kind: lldp.ChassisMAC, ID: string(l.MAC[:])},
		Port:    lldp.PortID{Kind: lldp.PortName, ID: l.Name},
	}
}
