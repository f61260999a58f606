// SPDX-License-Identifier: Apache-2.0

package linux

import "time"

// Supervision says how [Backend.Supervise] works. The zero Supervision tells nobody and waits from 100 ms to 30 s.
type Supervision struct {
	// Event is called when a server has died, has been started again, or could not be. It is called from the goroutine
	// of Supervise, one call at a time, and servers are not watched while it runs.
	Event func(ServerEvent)
	// FirstDelay is the time between the first death and the new start; it doubles with each further one up to MaxDelay,
	// and is the first again for a server that has run for Stable. Zero values are 100 ms, 30 s and 60 s.
	FirstDelay, MaxDelay, Stable time.Duration
}

// A ServerEvent is what happened to a server.
type ServerEvent struct {
	// Name is that of the server.
	Name string
	// Up is set when the server answers again.
	Up bool
	// Err is why it is down; nil if it is up.
	Err error
	// Retry is the time until the next start; 0 if it is up.
	Retry time.Duration
}

// withDefaults fills what is zero.
func (s Supervision) withDefaults() Supervision {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&s.FirstDelay, 100 * time.Millisecond}, {&s.MaxDelay, 30 * time.Second}, {&s.Stable, time.Minute}} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	if s.Event == nil {
		s.Event = func(ServerEvent) {}
	}
	return s
}

// delay is the time before a start that follows so many deaths or failures in a row.
func (s Supervision) delay(failures int) time.Duration {
	d := s.FirstDelay
	for range failures - 1 {
		if d *= 2; d >= s.MaxDelay {
			break
		}
	}
	return min(d, s.MaxDelay)
}
