// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"
)

// A Healing says how [Manager.Heal] works. The zero Healing repairs at once, and waits from 100 ms to 30 s where that was
// of no use.
type Healing struct {
	// FirstDelay is the time from one repair of a network or port to the next; it doubles with each further one up to
	// MaxDelay, and the next is done at once when what was repaired has stood for Stable. Zero values are 100 ms, 30 s and
	// 60 s.
	FirstDelay, MaxDelay, Stable time.Duration
	// Every is how often everything is looked at, whether the host tells of a change or not: kernel parameters change
	// without a word. Zero is a minute.
	Every time.Duration
}

// withDefaults fills what is zero.
func (h Healing) withDefaults() Healing {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&h.FirstDelay, 100 * time.Millisecond}, {&h.MaxDelay, 30 * time.Second}, {&h.Stable, time.Minute}, {&h.Every, time.Minute}} {
		if *d.value <= 0 {
			*d.value = d.usual
		}
	}
	return h
}

// delay is the time from one repair to the next, after so many in a row.
func (h Healing) delay(count int) time.Duration {
	d := h.FirstDelay
	for range count - 1 {
		if d *= 2; d >= h.MaxDelay {
			break
		}
	}
	return min(d, h.MaxDelay)
}

// Heal is [Manager.Watch] that repairs what drifts, as [Manager.Repair] does, as soon as it has told of it. It goes on
// as long as the loop does, whether the events are read or not, and leaves no goroutine behind. What had drifted before it
// began is repaired first.
//
// A repair is told as [EventRepaired]; one that failed as an error, with the network or port of it. Where a repair does
// not last, because somebody else works against it, or fails, the next one waits longer and longer: [EventRepairDelayed]
// says how long. What [Drift] has as left is told to have drifted and left.
//
// With a backend that is no [host.Watcher] everything is looked at from time to time only.
func (m *Manager) Heal(ctx context.Context, h Healing) iter.Seq2[Event, error] {
	return m.watch(ctx, &healer{Healing: h.withDefaults()})
}

// Repairs are those of one place.
type repairs struct {
	// count is how many there were in a row, and last when the last was done.
	count int
	last  time.Time
	// delayed is set when the reader knows that the next one waits.
	delayed bool
}

// A healer decides when something is repaired, and when all is looked at. Only the one who looks uses it. It goes by the
// time that passes, not by that of the manager. A nil healer never does anything.
type healer struct {
	Healing
	// again is when everything is looked at next.
	again time.Time
	// due is when the first of the repairs that wait is done; zero if none does.
	due time.Time
}

// begin is the healer of one watch.
func (h *healer) begin() *healer {
	if h == nil {
		return nil
	}
	return &healer{Healing: h.Healing, again: time.Now().Add(h.Every)}
}

// timer ends when there is something to do.
func (h *healer) timer() *time.Timer {
	if h == nil {
		return time.NewTimer(time.Duration(1<<63 - 1))
	}
	next := h.again
	if !h.due.IsZero() && h.due.Before(next) {
		next = h.due
	}
	return time.NewTimer(max(0, time.Until(next)))
}

// looksAgain reports whether it is time to look at everything.
func (h *healer) looksAgain() bool {
	if h == nil || time.Now().Before(h.again) {
		return false
	}
	h.again = time.Now().Add(h.Every)
	return true
}

// lasted reports whether what was repaired at that time has stood long enough since.
func (h *healer) lasted(repaired time.Time) bool { return h != nil && time.Since(repaired) >= h.Stable }

// heal repairs what has drifted and is due: networks before ports, whose bridges they have.
func (l *lookout) heal(ctx context.Context) error {
	instance, err := l.manager.instance(ctx)
	if err != nil {
		return err
	}
	h := l.healer
	h.due = time.Time{}
	for _, stored := range slices.Sorted(maps.Keys(l.places)) {
		p := l.places[stored]
		if len(p.told) == 0 || p.hopeless {
			continue
		}
		if wait := time.Until(p.last.Add(h.delay(p.count))); p.count > 0 && wait > 0 {
			l.wait(p, wait)
			continue
		}
		err := l.repair(ctx, p, instance)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			network, id := p.names()
			l.queue.push(Event{Time: l.manager.config.Now(), Network: network, Port: id}, err)
		}
		if err != nil || len(p.told) > 0 && !p.hopeless {
			l.wait(p, h.delay(p.count))
		}
	}
	return nil
}

// wait remembers that a repair waits, and tells it once.
func (l *lookout) wait(p *place, wait time.Duration) {
	if due := time.Now().Add(wait); l.healer.due.IsZero() || due.Before(l.healer.due) {
		l.healer.due = due
	}
	if !p.delayed {
		p.delayed = true
		network, id := p.names()
		l.queue.push(Event{Kind: EventRepairDelayed, Time: l.manager.config.Now(), Network: network, Port: id, Link: p.record.Link, Wait: wait}, nil)
	}
}

// repair repairs one place, and tells how it is then.
func (l *lookout) repair(ctx context.Context, p *place, instance string) error {
	p.count, p.last, p.delayed = p.count+1, time.Now(), false
	err := l.manager.inspect(ctx, p.stored, instance, func(r *portRecord, d *Drift) error {
		p.learn(r)
		if d == nil {
			return nil
		}
		return l.manager.repair(ctx, r, d)
	})
	if err != nil || ctx.Err() != nil {
		return err
	}
	return l.lookAt(ctx, p, instance)
}
