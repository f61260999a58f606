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
// told by hand to reflect, which a [RelayProber] finds out.
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

// A RelayProber finds out by trying whether a switch reflects: for those that do not say.
type RelayProber interface {
	// ProbeRelay sends a few small frames by a network card, or a VLAN device, to the card itself, from an address that nobody
	// has. The answer is RelayYes as soon as one comes back, and RelayNo if none does for two seconds: so does a switch that
	// learns first (STP), or lets in only addresses that it knows, and some of those close the port of a card that has another.
	// Nobody else gets the frames unless the switch does not know where the card is.
	//
	// The facts then tell for ten minutes what was found, where the switch does not say something else by itself; see
	// [Scope].Switches. A link that is missing, off or without a cable wraps fs.ErrNotExist. One that is part of a bridge or a
	// bond, or has a guest in mode passthrough, which gets all that comes in, is errors.ErrUnsupported.
	ProbeRelay(ctx context.Context, link string) (Relay, error)
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
