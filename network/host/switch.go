// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"
	"iter"
)

// A Switch is what the switch at the other end of a network card says of itself, by LLDP. What it said holds for a time that
// it names, mostly two minutes, and is then no longer known.
type Switch struct {
	// Link is the network card, or the VLAN device on it that was asked about.
	Link string
	// Chassis is what the switch is called, and Port which of its ports the card is at. Both are for people.
	Chassis, Port string
	// Relay is whether it sends frames back through the port they came in by, so that guests of one card in mode vepa reach
	// each other.
	Relay Relay
	// VDP says that guests can be associated with profiles of the switch: 802.1Qbg.
	VDP bool
	// Draft says that it speaks a draft of 802.1Qbg and not the standard.
	Draft bool
}

// A Relay is whether a switch reflects. It is not known of one that says nothing about it: such a switch can still have been
// told by hand to reflect.
type Relay uint8

// What is known.
const (
	RelayUnknown Relay = iota
	// RelayNo is a switch that does not reflect, and cannot.
	RelayNo
	// RelayPossible is one that does not, and would if it were asked: see [SwitchWatcher].
	RelayPossible
	RelayYes
)

var relayWords = [...]string{"unknown", "no", "possible", "yes"}

// String is unknown, no, possible or yes.
func (r Relay) String() string {
	if int(r) < len(relayWords) {
		return relayWords[r]
	}
	return "invalid"
}

// MarshalText returns the same text as String.
func (r Relay) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (r *Relay) UnmarshalText(text []byte) error {
	for i, word := range relayWords {
		if word == string(text) {
			*r = Relay(i)
			return nil
		}
	}
	return invalid("relay %q is none of %v", text, relayWords)
}

// String is the switch in one line.
func (s Switch) String() string {
	text := fmt.Sprintf("at %s reflects %s", s.Link, s.Relay)
	if s.VDP {
		text += ", associates"
	}
	if s.Draft {
		text += " (draft)"
	}
	if s.Chassis != "" {
		text += fmt.Sprintf(", chassis %q port %q", s.Chassis, s.Port)
	}
	return text
}

// A SwitchWatcher hears and asks the switches at the other ends of network cards. Switches speak every half minute or so;
// those that are asked answer within a second.
//
// Both methods work in the goroutine of the loop until ctx ends or the loop is left, and several may go on at the same time.
// They yield what a switch says when that is first heard, and again when it changes; a switch that falls silent is yielded
// without anything known of it. Facts remember what was heard, see [Scope].Switches. A link that is missing, or that goes,
// wraps fs.ErrNotExist; an error is the last thing that is yielded, and the end of ctx is none.
//
// The switch at a VLAN device is that at the card below. Of a bond each part has one.
type SwitchWatcher interface {
	// WatchSwitch only listens.
	WatchSwitch(ctx context.Context, link string) iter.Seq2[Switch, error]
	// Station asks the switch to reflect as well, for as long as it goes on: it takes the part of a station of 802.1Qbg. There
	// can be one on each card: where a program like lldpad is set up to be it, the error is fs.ErrExist.
	Station(ctx context.Context, link string) iter.Seq2[Switch, error]
}
