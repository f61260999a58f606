// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
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
	told map[string]bool
	lost string // the device that it is told to have lost
	// hopeless is that nothing of it can be repaired, until something else drifts or is mended.
	hopeless bool
	since    time.Time
	repairs
}

// together is how many places are looked at in one go.
const together = 64

// look looks at what the changes touch. Most looks find all in place, and take no lock.
func (l *lookout) look(ctx context.Context, changes map[host.Change]bool) error {
	if len(changes) == 0 {
		return nil
	}
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
	if err := unseal(text, &r); err != nil {
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
		p.told, p.lost, p.hopeless, p.since, p.repairs = nil, "", false, r.Since, repairs{}
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
	return l.manager.inspect(ctx, p.stored, instance, func(r *portRecord, d *Drift) error {
		p.learn(r)
		if d == nil {
			p.told, p.lost = nil, "" // Its program has ended before it was done, and the next Open is told nothing either.
			return nil
		}
		l.tell(p, d)
		return nil
	})
}

// tell tells of a drift what was not told before.
func (l *lookout) tell(p *place, d *Drift) {
	e := Event{Time: l.manager.config.Now(), Network: d.Network, Port: d.Port, Link: d.Link, Plan: d.Missing}
	known := p.told
	p.told = map[string]bool{}
	more := false
	for _, step := range d.Missing {
		line := step.From + " " + step.Op.String()
		p.told[line] = true
		more = more || !known[line]
	}
	lost := d.Lost != p.lost
	p.lost, p.hopeless = d.Lost, len(d.Repair) == 0
	if len(known) == 0 && l.healer.lasted(p.last) {
		p.repairs = repairs{}
	}
	switch {
	case len(d.Missing) == 0 && len(known) > 0:
		e.Kind = EventDriftMended
	case !more:
		return
	case lost && d.Lost != "":
		e.Kind, e.Link = EventDeviceLost, d.Lost
	default:
		e.Kind = EventDriftFound
	}
	l.queue.push(e, nil)
}
