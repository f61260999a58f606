// SPDX-License-Identifier: Apache-2.0

package vdp

import "time"

// leastRetries are those that a station allows itself even if fewer were agreed on. It doubles the time between them, so
// that a switch that is busy for half a second loses nothing.
const leastRetries = 8

// repeatTime is how long a message with the number of the last may be that one again. A switch that was started anew counts
// from the beginning, and must be heard.
const repeatTime = time.Second

// A carrier takes messages to the switch, one after the other, each until it is acknowledged (the sending side of ECP).
type carrier struct {
	sequence uint16
	// message is under way, sent so many times; nil if there is none.
	message *VSI
	tries   int
	// next is when to send it again or, without one, when the next message may follow the last: switches lose what
	// comes at once.
	next time.Time
}

// load takes a message, if there is none.
func (c *carrier) load(v VSI) {
	c.sequence++
	if c.sequence == 0 {
		c.sequence++ // as lldpad counts
	}
	c.message, c.tries, c.next = &v, 0, time.Time{}
}

func (c *carrier) free(now time.Time) bool { return c.message == nil && !now.Before(c.next) }

// run sends the message if it is time to. Lost is whether it was sent often enough.
func (c *carrier) run(now time.Time, t Terms, send func(Message)) (lost bool) {
	if c.message == nil || now.Before(c.next) {
		return false
	}
	if c.tries > max(t.Retries, leastRetries) {
		c.unload(now, t)
		return true
	}
	send(Message{Sequence: c.sequence, VSIs: []VSI{*c.message}})
	c.next = now.Add(min(t.Retransmit<<c.tries, maxRetransmit))
	c.tries++
	return false
}

// acknowledged takes the message off.
func (c *carrier) acknowledged(sequence uint16, now time.Time, t Terms) {
	if c.message != nil && sequence == c.sequence {
		c.unload(now, t)
	}
}

func (c *carrier) unload(now time.Time, t Terms) { c.message, c.next = nil, now.Add(t.Retransmit) }

// A receiver tells messages of the switch from those that it sends again (the receiving side of ECP).
type receiver struct {
	last uint16
	at   time.Time
}

// isNew reports whether a message is not the last one again.
func (r *receiver) isNew(sequence uint16, now time.Time) bool {
	again := !r.at.IsZero() && sequence == r.last && now.Sub(r.at) < repeatTime
	r.last, r.at = sequence, now
	return !again
}
