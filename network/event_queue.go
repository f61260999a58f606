// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"sync"
)

// maxEvents is how many events wait for a reader. It is enough for what a hundred networks with some ports make when they
// are all started at once, and with it a reader that never comes back costs less than a megabyte.
const maxEvents = 1024

// An eventQueue is what a reader has not read yet.
type eventQueue struct {
	mu    sync.Mutex
	items []eventItem
	ended bool
	// wake has room for one word that there is something.
	wake chan struct{}
}

type eventItem struct {
	event Event
	err   error
}

func newEventQueue() *eventQueue { return &eventQueue{wake: make(chan struct{}, 1)} }

// push adds an event. It never waits: what there is no room for is counted, in an event at that place.
func (q *eventQueue) push(e Event, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch n := len(q.items); {
	case q.ended:
		return
	case n < maxEvents:
		q.items = append(q.items, eventItem{e, err})
	case q.items[n-1].event.Kind == EventMissed:
		q.items[n-1].event.Missed++
	default:
		q.items = append(q.items, eventItem{event: Event{Kind: EventMissed, Time: e.Time, Missed: 1}})
	}
	q.call()
}

// end adds the last item, an error, for which there is always room.
func (q *eventQueue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended = true
		q.items = append(q.items, eventItem{err: err})
		q.call()
	}
}

func (q *eventQueue) call() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for an event. The last result is false when ctx has ended, or nothing can come any more.
func (q *eventQueue) next(ctx context.Context) (Event, error, bool) {
	for ctx.Err() == nil {
		item, there, ended := q.take()
		if there {
			return item.event, item.err, true
		}
		if ended {
			break
		}
		select {
		case <-ctx.Done():
		case <-q.wake:
		}
	}
	return Event{}, nil, false
}

func (q *eventQueue) take() (item eventItem, there, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return item, false, q.ended
	}
	item = q.items[0]
	q.items[0] = eventItem{}
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	}
	return item, true, q.ended
}

// An audience is the queues of all who watch.
type audience struct {
	mu     sync.Mutex
	queues map[*eventQueue]bool
}

// join lets a queue hear what is told from now on, behind the event first.
func (a *audience) join(q *eventQueue, first Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queues == nil {
		a.queues = map[*eventQueue]bool{}
	}
	q.push(first, nil)
	a.queues[q] = true
}

func (a *audience) leave(q *eventQueue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.queues, q)
}

// emit tells all who watch of a change that is durable. The caller still holds the lock of what was changed, so that what
// happens to it is told in its order.
func (m *Manager) emit(e Event) {
	m.events.mu.Lock()
	defer m.events.mu.Unlock()
	if len(m.events.queues) == 0 && m.config.Tell == nil {
		return
	}
	e.Time = m.config.Now()
	if m.config.Tell != nil {
		m.config.Tell(e)
	}
	for q := range m.events.queues {
		q.push(e, nil)
	}
}
