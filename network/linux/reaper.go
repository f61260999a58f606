// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

const (
	// lingers is how long a discarded device waits for another, to be removed together with it: who discards many is not to
	// wait for the kernel in between.
	lingers = 50 * time.Millisecond
	// crowd is how many devices wait for no more.
	crowd = 256
)

// A reaper removes discarded devices behind those who discarded them. It has a goroutine only while there are some.
type reaper struct {
	// reaping is held while devices are removed, and running counts the goroutine that does it by itself.
	reaping sync.Mutex
	running sync.WaitGroup

	mu sync.Mutex
	// doomed are the names of devices that were discarded here and may still be there.
	doomed map[string]bool
	// timer runs if there are some. It is nil also when they could not be removed, until there are more.
	timer *time.Timer
	// idle keeps it from running, for tests.
	idle bool
}

// expect knows of a device of that name that will be removed.
func (r *reaper) expect(link string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.doomed == nil {
		r.doomed = map[string]bool{}
	}
	r.doomed[link] = true
}

// await is expect, and has reap called when no more devices come.
func (r *reaper) await(link string, reap func()) {
	r.expect(link)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.idle {
		return
	}
	if r.timer != nil {
		if len(r.doomed) < crowd && r.timer.Stop() {
			r.timer.Reset(lingers)
		}
		return // what has begun by now takes this one as well
	}
	r.running.Add(1)
	r.timer = time.AfterFunc(lingers, func() {
		defer r.running.Done()
		reap()
	})
}

// take returns the names of the devices that may still be there, of which the caller will see to the end.
func (r *reaper) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil && r.timer.Stop() {
		r.running.Done()
	}
	r.timer = nil
	return slices.Collect(maps.Keys(r.doomed))
}

// gone forgets names.
func (r *reaper) gone(links []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, link := range links {
		delete(r.doomed, link)
	}
}

// concerns reports whether a device of that name may still be there.
func (r *reaper) concerns(link string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doomed[link]
}

// quiet reports whether there are no devices that may still be there.
func (r *reaper) quiet() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.doomed) == 0
}

// Settle waits until the kernel has removed all discarded devices of the namespace; see [host.Discarder]. Once it has begun it
// is not ended by ctx.
func (b *Backend) Settle(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := b.reap()
	return err
}

// reap removes what was discarded, by whatever program, and reports whether there was something.
func (b *Backend) reap() (found bool, err error) {
	b.reaper.reaping.Lock()
	defer b.reaper.reaping.Unlock()
	links := b.reaper.take()
	switch found, err = b.rt.Reap(); {
	case err == nil:
		b.reaper.gone(links)
	case len(links) == 0 && errors.Is(err, fs.ErrPermission):
		err = nil // what others have left is for those who may remove it
	}
	return found, err
}

// closeReaper removes what was discarded here and waits for the goroutine.
func (b *Backend) closeReaper() (err error) {
	if !b.reaper.quiet() {
		_, err = b.reap()
	}
	b.reaper.running.Wait()
	return err
}

// pass lets an operation wait until no device is in its way that goes by one of its names.
func (b *Backend) pass(op host.Op) error {
	if b.reaper.quiet() || !slices.ContainsFunc(host.LinksOf(op), b.reaper.concerns) {
		return nil
	}
	_, err := b.reap()
	return err
}

// living leaves out the kernel parameters of devices that were discarded.
func (b *Backend) living(keys []string) []string {
	if b.reaper.quiet() {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return slices.ContainsFunc(host.LinksOf(host.SetSysctl{Key: key}), b.reaper.concerns)
	})
}

// makeRoom reports whether an operation that failed has better prospects now: what it makes may have wanted a place that a
// discarded device had, such as a name in the namespace of a guest, or one on a device below.
func (b *Backend) makeRoom(op host.Op, err error) bool {
	switch op.(type) {
	case host.AddBridge, host.AddTap, host.AddVeth, host.AddMacvtap, host.AddMacvlan:
	default:
		return false
	}
	if !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrInvalid) {
		return false
	}
	found, err := b.reap()
	return found && err == nil
}
