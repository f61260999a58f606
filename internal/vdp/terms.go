// SPDX-License-Identifier: Apache-2.0

package vdp

import "time"

// Terms are what a station and a switch have agreed on, see [TermsOf]. The zero Terms are those of two that have said
// nothing: 3 retries of 2.56 ms, answers within 15.8 s, and a reminder every 10.5 s.
type Terms struct {
	// Retries is how often a message that is not acknowledged is sent again, at first after Retransmit.
	Retries    int
	Retransmit time.Duration
	// Answer is how long the switch may take to answer.
	Answer time.Duration
	// KeepAlive is how often the switch is reminded of a guest.
	KeepAlive time.Duration
}

// What a neighbour may make of times, who can name from 10 microseconds to six hours.
const (
	minRetransmit, maxRetransmit = time.Millisecond, time.Second
	minAnswer, maxAnswer         = time.Second, time.Minute
	minKeepAlive, maxKeepAlive   = time.Second, 10 * time.Minute
)

// TermsOf reads the numbers of two sides that agree: retries, and times as exponents, 10 microseconds times two to their power.
// Times that help nobody become the next that do.
func TermsOf(retries, retransmit, wait, keepAlive uint8) Terms {
	power := func(exponent uint8) time.Duration { return 10 * time.Microsecond << (exponent & 31) }
	answer := time.Duration(1+2*int(retries))*power(retransmit) + power(wait)
	return Terms{
		Retries:    int(retries),
		Retransmit: min(max(power(retransmit), minRetransmit), maxRetransmit),
		Answer:     min(max(answer+answer/2, minAnswer), maxAnswer),
		KeepAlive:  min(max(power(keepAlive), minKeepAlive), maxKeepAlive),
	}
}

// usual are the terms of two that have said nothing.
var usual = TermsOf(3, 8, 20, 20)

func (t Terms) orUsual() Terms {
	if t == (Terms{}) {
		return usual
	}
	return t
}
