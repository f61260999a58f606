// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/go-virtnet/virtnet/network/host"
)

// Watch yields what happens to networks and ports, until ctx ends or the loop is left: virsh net-event --loop, and what
// nobody asked for. It begins when the loop does, with [EventWatching], and leaves no goroutine behind; unless somebody
// watches there is none.
//
// What this Manager does is told when it is done and written down, and not if it fails. What anybody else does to the host
// is told as [EventDeviceLost] or [EventDriftFound] when a running network, or a port that should be plugged in, is no
// longer what its record says, and as [EventDriftMended] when it is again. What had drifted before is told behind the first
// event. Each is looked at under its lock before it is told, so that what this or another program is doing to it at that
// moment does not count. That needs a backend that is a [host.Watcher]; with another, drift is not told.
//
// Other programs, and other Managers, may work on the same [Store]. What they define, start, stop or attach is not told,
// and it is no drift either. What drifts of their networks and ports is told as that of one's own.
//
// A reader that is slow keeps nobody waiting. Up to 1024 events wait for it; in place of those that there is no room for it
// gets one [EventMissed], which says how many.
//
// An error together with an event says what could not be looked at; it will be when something of it changes. An error with
// the zero Event is the last: the host can be watched no longer. The end of ctx is no error.
func (m *Manager) Watch(ctx context.Context) iter.Seq2[Event, error] { return m.watch(ctx, nil) }

// watch is Watch and, with a healer, Heal.
func (m *Manager) watch(ctx context.Context, h *healer) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		q := newEventQueue()
		var tasks sync.WaitGroup
		defer tasks.Wait()
		defer m.events.leave(q)
		defer cancel()
		w, watches := m.backend.(host.Watcher)
		l := &lookout{manager: m, queue: q, wake: make(chan struct{}, 1), places: map[string]*place{}, healer: h.begin()}
		if watches {
			tasks.Go(func() { l.listen(ctx, w) })
		} else {
			m.beginWatch(q)
			l.add(host.Change{Kind: host.Anything})
		}
		if watches || h != nil {
			tasks.Go(func() { l.run(ctx) })
		}
		for {
			e, err, ok := q.next(ctx)
			if !ok || !yield(e, err) {
				return
			}
		}
	}
}

func (m *Manager) beginWatch(q *eventQueue) {
	m.events.join(q, Event{Kind: EventWatching, Time: m.config.Now()})
}

// A lookout looks for drift on behalf of one reader. One goroutine listens to the host and another looks, so that the
// changes of a moment are looked at together.
type lookout struct {
	manager *Manager
	queue   *eventQueue

	mu sync.Mutex
	// changes are those that were not looked at yet.
	changes map[host.Change]bool
	wake    chan struct{}

	// places are the networks and ports that are known, by the names of their records. Only the one who looks uses them.
	places map[string]*place
	// healer repairs what is found; nil if nobody does.
	healer *healer
}

// maxChanges is how many different changes are remembered one by one.
const maxChanges = 1000

// errWatchEnded is for a backend that stops telling.
var errWatchEnded = errors.New("the host tells no more changes")

// listen collects what the host tells.
func (l *lookout) listen(ctx context.Context, w host.Watcher) {
	begun := false
	for c, err := range w.Watch(ctx) {
		if err != nil {
			l.queue.end(err)
			return
		}
		if !begun {
			l.manager.beginWatch(l.queue)
			begun = true
		}
		l.add(c)
	}
	if ctx.Err() == nil {
		l.queue.end(errWatchEnded)
	}
}

func (l *lookout) add(c host.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changes == nil {
		l.changes = map[host.Change]bool{}
	}
	l.changes[c] = true
	if len(l.changes) > maxChanges {
		l.changes = map[host.Change]bool{{Kind: host.Anything}: true}
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take takes the changes that were collected.
func (l *lookout) take() map[host.Change]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	changes := l.changes
	l.changes = nil
	return changes
}

// run looks when there is something to look at, and repairs when that is due.
func (l *lookout) run(ctx context.Context) {
	for {
		timer := l.healer.timer()
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		if l.healer.looksAgain() {
			l.add(host.Change{Kind: host.Anything})
		}
		err := l.look(ctx, l.take())
		if err == nil && l.healer != nil {
			err = l.heal(ctx)
		}
		if err != nil && ctx.Err() == nil {
			l.queue.end(err)
			return
		}
	}
}
