// SPDX-License-Identifier: Apache-2.0

package vdp

import (
	"slices"
	"time"
)

// A Station is one who tells the switch at a link of guests, at a moment: what was asked of him, what the switch has
// granted, and what he waits for. It is a value: [Station.Next] makes another of it, and leaves it as it is.
//
// The zero Station knows of no guest and has heard nothing. One who comes after another should not count as that one did:
// see [NewStation].
type Station struct {
	terms    Terms
	carrier  carrier
	receiver receiver
	sessions []session
}

// NewStation begins to count its messages behind a number, best one of chance: a switch takes no notice of a message that
// has the number of the last one which it had of this address.
func NewStation(sequence uint16) Station {
	return Station{carrier: carrier{sequence: sequence}}
}

// A session is what is said about one guest.
type session struct {
	// VSI is the guest, with what is wanted of the switch as its mode.
	VSI
	// has is what the switch has granted; 0 is nothing.
	has Mode
	// wished is whether somebody waits for what becomes of this.
	wished bool
	// asking is whether an answer is waited for, until then.
	asking bool
	until  time.Time
	// next is when to ask, again if asking: because the switch does not answer, or to remind it.
	next time.Time
}

// An Event is what happens to a station: [Agree], [Want], [Receive], or nil if it is only time that passes.
type Event interface{ happen(*turn) }

// settleTime is how long a switch may need after its start: lldpad, where it plays one, ends in the first second what it grants.
const settleTime = 2 * time.Second

// Agree is that the switch has said on which terms it speaks of guests. One that may have been Started anew is soon reminded
// of all, and has the whole time for an answer again.
type Agree struct {
	Terms
	Started bool
}

// Want is that the switch is to do for a guest what the mode says. What was wanted for that guest before is not any more.
type Want struct{ VSI }

// Receive is a message of the switch.
type Receive struct{ Message }

// Output is what a station does by an event.
type Output struct {
	// Send are messages for the switch.
	Send []Message
	// News is what has become of guests.
	News []News
	// Wake is when there is something to do if nothing else happens; zero is never.
	Wake time.Time
}

// News is what has become of a guest.
type News struct {
	VSI
	Outcome Outcome
}

// An Outcome is what has become of a guest.
type Outcome uint8

// The outcomes. The first four answer a [Want], and the last comes by itself.
const (
	// Granted is that the switch has done what was wanted: to forget a guest, too.
	Granted Outcome = iota + 1
	// Refused is that it will not, with the Status of the VSI for a reason. What it had granted before may hold on, see [Station.Has].
	Refused
	// Unheard is that nobody acknowledges what is said, and Unanswered that it is acknowledged and not answered.
	Unheard
	Unanswered
	// Ended is that the switch has ended what it had granted, or is not there any more.
	Ended
)

// Has lists what the switch has granted, in the order in which it was wanted. The mode of each is what is granted.
func (s Station) Has() (all []VSI) {
	for _, one := range s.sessions {
		if one.has != 0 {
			v := one.VSI
			v.Mode = one.has
			all = append(all, v)
		}
	}
	return all
}

// Next is what becomes of the station by an event, and what it does. It is to be called with nil when the time of Output.Wake
// has come.
func (s Station) Next(e Event, now time.Time) (Station, Output) {
	s.sessions = slices.Clone(s.sessions)
	t := turn{Station: s, now: now}
	if e != nil {
		e.happen(&t)
	}
	t.expire()
	t.carry()
	t.out.Wake = t.wake()
	return t.Station, t.out
}

// A turn is one step of a station.
type turn struct {
	Station
	now time.Time
	out Output
}

func (t *turn) send(m Message) { t.out.Send = append(t.out.Send, m) }

func (t *turn) tell(v VSI, what Outcome) { t.out.News = append(t.out.News, News{v, what}) }

// find is the session of a guest, -1 if there is none.
func (t *turn) find(v VSI) int {
	return slices.IndexFunc(t.sessions, func(s session) bool {
		return s.Instance == v.Instance && s.Manager == v.Manager && s.Type == v.Type && s.Version == v.Version
	})
}

func (t *turn) drop(i int) { t.sessions = slices.Delete(t.sessions, i, i+1) }

func (e Agree) happen(t *turn) {
	t.terms = e.Terms
	if !e.Started {
		return
	}
	for i := range t.sessions {
		s, soon := &t.sessions[i], t.now.Add(settleTime)
		if s.asking {
			s.until = t.now.Add(e.orUsual().Answer)
		}
		if soon.Before(s.next) {
			s.next = soon
		}
	}
}

func (e Want) happen(t *turn) {
	i := t.find(e.VSI)
	if i < 0 {
		i = len(t.sessions)
		t.sessions = append(t.sessions, session{})
	}
	s := &t.sessions[i]
	s.VSI, s.wished, s.asking, s.next = e.VSI, true, true, t.now
	s.Status = 0
	s.until = t.now.Add(t.terms.orUsual().Answer)
}

func (e Receive) happen(t *turn) {
	if e.Ack {
		t.carrier.acknowledged(e.Sequence, t.now, t.terms.orUsual())
		return
	}
	t.send(Message{Ack: true, Sequence: e.Sequence})
	if !t.receiver.isNew(e.Sequence, t.now) {
		return
	}
	for _, v := range e.VSIs {
		if i := t.find(v); i >= 0 {
			t.hear(i, v)
		}
	}
}

// hear takes in what the switch says of a guest.
func (t *turn) hear(i int, v VSI) {
	s := &t.sessions[i]
	switch {
	case v.Status&Answer == 0:
		if v.Mode == Disassociate {
			t.ended(i, v.Status)
		}
	case !s.asking: // once more
	case v.Mode == Disassociate && s.Mode == Disassociate:
		t.ended(i, 0)
	case v.Mode == s.Mode && v.Status&Reason == 0:
		t.granted(s, v)
	case v.Mode == s.Mode || v.Mode == Disassociate:
		t.refused(i, v.Status)
	}
}

func (t *turn) granted(s *session, answer VSI) {
	if s.wished {
		t.tell(s.VSI, Granted)
	}
	if len(answer.Filters) == len(s.Filters) {
		s.Filters = answer.Filters // with the VLAN, where that was left to the switch
	}
	t.holds(s, s.Mode)
}

// holds is that a session has what is granted, and nothing to ask before it reminds the switch.
func (t *turn) holds(s *session, has Mode) {
	s.Mode, s.has, s.wished, s.asking = has, has, false, false
	s.next = t.now.Add(t.terms.orUsual().KeepAlive)
}

func (t *turn) refused(i int, status Status) {
	s := &t.sessions[i]
	if status&Keep == 0 || s.has == 0 || !s.wished {
		t.ended(i, status)
		return
	}
	v := s.VSI
	v.Status = status
	t.tell(v, Refused)
	t.holds(s, s.has)
}

// ended is that the switch holds nothing for a guest any more, for that reason.
func (t *turn) ended(i int, status Status) {
	s := t.sessions[i]
	s.Status = status
	switch {
	case !s.wished:
		t.tell(s.VSI, Ended)
	case s.Mode == Disassociate:
		t.tell(s.VSI, Granted)
	default:
		t.tell(s.VSI, Refused)
	}
	t.drop(i)
}

// wanted reports whether what a message says of a guest is still wanted.
func (t *turn) wanted(v VSI) bool {
	i := t.find(v)
	return i >= 0 && t.sessions[i].Mode == v.Mode
}

// lost is that nobody acknowledges what is said of a guest. What was granted holds on until its time: the switch may be
// there again before.
func (t *turn) lost(v VSI) {
	if i := t.find(v); t.sessions[i].wished {
		t.tell(t.sessions[i].VSI, Unheard)
		t.drop(i)
	}
}

// expire gives up what the switch does not answer.
func (t *turn) expire() {
	t.sessions = slices.DeleteFunc(t.sessions, func(s session) bool {
		if !s.asking || t.now.Before(s.until) {
			return false
		}
		if s.wished {
			t.tell(s.VSI, Unanswered)
		} else {
			t.tell(s.VSI, Ended)
		}
		return true
	})
}

// carry sends what is under way, and asks what is to be asked next.
func (t *turn) carry() {
	c, terms := &t.carrier, t.terms.orUsual()
	if c.message != nil {
		if v := *c.message; !t.wanted(v) {
			c.unload(t.now, terms)
		} else if c.run(t.now, terms, t.send) {
			t.lost(v)
		}
	}
	if !c.free(t.now) {
		return
	}
	i := t.soonest()
	if i < 0 || t.now.Before(t.sessions[i].next) {
		return
	}
	s := &t.sessions[i]
	if !s.asking {
		s.asking, s.until = true, t.now.Add(terms.Answer)
	}
	s.next = t.now.Add(terms.Answer / asks)
	c.load(s.VSI)
	c.run(t.now, terms, t.send)
}

// asks is how often something is asked until it is given up: an acknowledgement does not say that it was understood.
const asks = 8

// soonest is the session that asks next, -1 without any.
func (t *turn) soonest() int {
	first := -1
	for i, s := range t.sessions {
		if first < 0 || s.next.Before(t.sessions[first].next) {
			first = i
		}
	}
	return first
}

func (t *turn) wake() (at time.Time) {
	sooner := func(when time.Time) {
		if at.IsZero() || when.Before(at) {
			at = when
		}
	}
	for _, s := range t.sessions {
		if s.asking {
			sooner(s.until)
		}
	}
	c := t.carrier
	if c.message != nil {
		sooner(c.next)
	} else if i := t.soonest(); i >= 0 {
		when := t.sessions[i].next
		if when.Before(c.next) {
			when = c.next
		}
		sooner(when)
	}
	return at
}
