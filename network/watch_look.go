// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A place is a network or port that has a record.
type place struct {
	// stored is the name of the record, and text the record as it was last read.
	stored string
	text   []byte
	record portRecord
	scope  host.Scope
	// told are the steps of the run since that time that the reader knows to be missing.
	told  map[string]bool
	since time.Time
}

// together is how many places are looked at in one go.
const together = 64

// look looks at what the changes touch. Most looks find all in place, and take no lock.
func (l *lookout) look(ctx context.Context, changes map[host.Change]bool) error {
	instance, err := l.manager.instance(ctx)
	if err != nil {
		return err
	}
	touched, err := l.touched(ctx, changes)
	if err != nil {
		return err
	}
	for len(touched) > 0 {
		n := min(together, len(touched))
		some := touched[:n]
		touched = touched[n:]
		var scope host.Scope
		for _, p := range some {
			scope = scope.And(p.scope)
		}
		f, err := l.manager.backend.Facts(ctx, scope)
		for _, p := range some {
			if err == nil && p.record.Stage == running && len(p.told) == 0 && len(p.record.Plan.Missing(f)) == 0 {
				continue
			}
			if err := l.lookAt(ctx, p, instance); err != nil {
				network, id := p.names()
				l.queue.push(Event{Time: l.manager.config.Now(), Network: network, Port: id}, err)
			}
			if ctx.Err() != nil {
				return nil
			}
		}
	}
	return nil
}

// touched reads the records, and returns the places that a change touches.
func (l *lookout) touched(ctx context.Context, changes map[host.Change]bool) ([]*place, error) {
	there := map[string]bool{}
	var touched []*place
	for _, folder := range []string{"run/networks/", "run/ports/"} {
		keys, err := l.manager.store.List(ctx, strings.TrimSuffix(folder, "/"))
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			p := l.places[folder+key]
			// The records of networks change. What becomes of a port's is seen when its device changes.
			if p == nil || folder == "run/networks/" {
				if p, err = l.read(ctx, folder+key); err != nil {
					return nil, err
				}
			}
			if p == nil {
				continue
			}
			there[p.stored] = true
			if p.record.Stage == "" {
				continue // It cannot be read, and that is told.
			}
			for c := range changes {
				if c.Touches(p.scope) {
					touched = append(touched, p)
					break
				}
			}
		}
	}
	for stored := range l.places {
		if !there[stored] {
			delete(l.places, stored)
		}
	}
	return touched, nil
}

// read reads one record, unless it is as it was. It is nil if there is none any more.
func (l *lookout) read(ctx context.Context, stored string) (*place, error) {
	text, err := l.manager.store.Load(ctx, stored)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := l.places[stored]
	if p == nil {
		p = &place{stored: stored}
		l.places[stored] = p
	}
	if bytes.Equal(p.text, text) {
		return p, nil
	}
	var r portRecord
	if err := json.Unmarshal(text, &r); err != nil {
		// Told once, and again when there is something else.
		network, id := p.names()
		l.queue.push(Event{Time: l.manager.config.Now(), Network: network, Port: id}, fmt.Errorf("store: %s: %w", stored, err))
		r = portRecord{}
	}
	p.learn(&r)
	p.text = text
	return p, nil
}

// learn takes note of what a record says now.
func (p *place) learn(r *portRecord) {
	p.text, p.record, p.scope = nil, *r, r.Plan.Scope()
	if !p.since.Equal(r.Since) {
		p.told, p.since = nil, r.Since
	}
}

// names are what the record is of: a network, or a port. Of a record that cannot be read it is what the store calls it.
func (p *place) names() (network string, id schema.UUID) {
	key, ok := strings.CutPrefix(p.stored, "run/ports/")
	if ok {
		end := strings.LastIndexByte(key, '~')
		id, _ = schema.ParseUUID(key[end+1:])
		key = key[:max(end, 0)]
	} else {
		key = strings.TrimPrefix(key, "run/networks/")
	}
	if p.record.Name != "" {
		key = p.record.Name
	}
	return key, id
}

// lookAt looks again at one place, while nobody else is at work on it, and tells what is no longer as it was told.
func (l *lookout) lookAt(ctx context.Context, p *place, instance string) error {
	if key, ok := strings.CutPrefix(p.stored, "run/networks/"); ok {
		return l.lookAtNetwork(ctx, p, key, instance)
	}
	key := strings.TrimPrefix(p.stored, "run/ports/")
	end := strings.LastIndexByte(key, '~')
	id, err := schema.ParseUUID(key[end+1:])
	if err != nil {
		return err
	}
	for again := true; again && err == nil; {
		again, err = l.lookAtPort(ctx, p, key[:max(end, 0)], id, instance)
	}
	return err
}

func (l *lookout) lookAtNetwork(ctx context.Context, p *place, key, instance string) error {
	r, release, err := l.manager.lockedRecord(ctx, key, instance)
	if r == nil || err != nil {
		return err // What ran there is gone, and it is told to be.
	}
	defer release()
	return l.compare(ctx, p, &portRecord{record: *r}, schema.UUID{}, func() (bool, error) { return true, nil })
}

// lookAtPort looks at one port. Again is that its network was stopped or changed meanwhile, which takes no lock of ports
// that are only looked at; and to hold both locks could stop others for good, for they are taken in either order.
func (l *lookout) lookAtPort(ctx context.Context, p *place, key string, id schema.UUID, instance string) (again bool, err error) {
	m := l.manager
	network, err := l.settled(ctx, key)
	if err != nil {
		return false, err
	}
	release, err := m.store.Lock(ctx, portLock(id))
	if err != nil {
		return false, err
	}
	defer release()
	r, err := loadPortRecord(ctx, m.store, p.stored, instance)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if key != "" {
		var n record
		if network == nil || json.Unmarshal(network, &n) != nil || n.Stage != running || n.Instance != instance {
			// Without its network a port is plugged into nothing.
			p.learn(r)
			p.told = nil
			return false, nil
		}
	}
	err = l.compare(ctx, p, r, id, func() (bool, error) {
		if key == "" {
			return true, nil
		}
		now, err := m.store.Load(ctx, "run/networks/"+key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		again = !bytes.Equal(now, network)
		return !again, nil
	})
	return again, err
}

// settled is the record of a port's network at a moment when nobody is at work on it: a network is running before all of
// its ports are plugged in again. It is nil if there is none.
func (l *lookout) settled(ctx context.Context, key string) ([]byte, error) {
	if key == "" {
		return nil, nil
	}
	release, err := l.manager.store.Lock(ctx, "networks/"+key)
	if err != nil {
		return nil, err
	}
	defer release()
	text, err := l.manager.store.Load(ctx, "run/networks/"+key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// compare compares a record with the host, and tells the difference if what was seen is valid.
func (l *lookout) compare(ctx context.Context, p *place, r *portRecord, id schema.UUID, valid func() (bool, error)) error {
	p.learn(r)
	if r.Stage != running {
		p.told = nil // Its program has ended before it was done, and the next Open is told nothing either.
		return nil
	}
	f, err := l.manager.backend.Facts(ctx, p.scope)
	if err != nil {
		return err
	}
	if ok, err := valid(); !ok || err != nil {
		return err
	}
	e := Event{Time: l.manager.config.Now(), Network: r.Name, Port: id, Link: r.Link, Plan: r.Plan.Missing(f)}
	known := p.told
	p.told = map[string]bool{}
	var more host.Plan
	for _, step := range e.Plan {
		line := step.From + " " + step.Op.String()
		p.told[line] = true
		if !known[line] {
			more = append(more, step)
		}
	}
	switch link := more.Lost(f); {
	case len(e.Plan) == 0 && len(known) > 0:
		e.Kind = EventDriftMended
	case len(more) == 0:
		return nil
	case link != "":
		e.Kind, e.Link = EventDeviceLost, link
	default:
		e.Kind = EventDriftFound
	}
	l.queue.push(e, nil)
	return nil
}
