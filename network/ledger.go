// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"

	"github.com/go-virtnet/virtnet/network/host"
)

// A ledger is the claims of one host, in a store, under their lock. It remembers what the records of the networks say between
// two uses, so that to start one does not mean to read the records of all. That is right as long as the count of changes is
// the one it goes with: other managers on the same store count theirs too.
type ledger struct {
	store   Store
	backend host.Backend

	mu       sync.Mutex // a lock of the host may be one of the file system, which the memory of a program knows nothing of
	networks map[string]claim
	instance string
	at       uint64
}

// load returns the claims, which are the caller's. The caller holds their lock.
func (l *ledger) load(ctx context.Context, instance string) (*claims, error) {
	c, err := loadJSON[claims](ctx, l.store, claimsName)
	var broken *brokenError
	switch {
	case errors.As(err, &broken):
		// All but what we switched on is told elsewhere, and that stays on. Changes are counted from a number that nobody remembers.
		at := rand.Uint64N(1 << 62)
		c = &claims{Instance: instance, Changes: at, Ports: at}
	case errors.Is(err, fs.ErrNotExist) || err == nil && c.Instance != instance:
		c = &claims{Instance: instance}
	case err != nil:
		return nil, err
	}
	if c.Next == nil {
		c.Next = map[string]int{}
	}
	c.Networks, err = l.roster(ctx, c)
	return c, err
}

// roster is what each network has, as it is remembered or as the records say.
func (l *ledger) roster(ctx context.Context, c *claims) (map[string]claim, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.networks != nil && l.instance == c.Instance && l.at == c.Changes {
		return maps.Clone(l.networks), nil
	}
	keys, err := l.store.List(ctx, "run/networks")
	if err != nil {
		return nil, err
	}
	networks := make(map[string]claim, len(keys))
	for _, key := range keys {
		id, has, err := l.claimOf(ctx, key, c.Instance)
		var broken *brokenError
		switch {
		case errors.As(err, &broken):
			// Whoever opens the store is told. What that network has, the host says; the others must not suffer.
		case err == nil:
			networks[id] = has
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	l.networks, l.instance, l.at = networks, c.Instance, c.Changes
	return maps.Clone(networks), nil
}

// claimOf is what a record says that its network has.
func (l *ledger) claimOf(ctx context.Context, key, instance string) (id string, has claim, err error) {
	r, err := loadRecord(ctx, l.store, "run/networks/"+key, instance)
	if err != nil {
		return "", claim{}, err
	}
	n, err := r.live()
	if err != nil {
		return "", claim{}, err
	}
	return n.UUID.String(), r.claim(), nil
}

// save writes claims down of which a network's has changed, and then with write, unless that is nil, the record that says so.
// The caller holds their lock.
func (l *ledger) save(ctx context.Context, c *claims, write func() error) error {
	// Before the record: a program that ends in between leaves others to read anew what has not changed, and not to go on with
	// what has.
	c.Changes++
	err := saveJSON(ctx, l.store, claimsName, c)
	if err == nil && write != nil {
		err = write()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.networks = nil
		return err
	}
	l.networks, l.instance, l.at = c.Networks, c.Instance, c.Changes
	return nil
}

// locked calls f with the claims, under their lock. It is for f to save them.
func (l *ledger) locked(ctx context.Context, instance string, f func(*claims) error) error {
	release, err := l.store.Lock(ctx, "host")
	if err != nil {
		return err
	}
	defer release()
	c, err := l.load(ctx, instance)
	if err != nil {
		return err
	}
	return f(c)
}

// change lets f change the claims and saves them, under their lock. If f fails nothing is saved.
func (l *ledger) change(ctx context.Context, instance string, f func(*claims) error, write func() error) error {
	return l.locked(ctx, instance, func(c *claims) error {
		if err := f(c); err != nil {
			return err
		}
		return l.save(ctx, c, write)
	})
}

// release takes back the claims of networks and, if they were the last users, what was switched on for them. Remove removes
// the records of the networks.
func (l *ledger) release(ctx context.Context, instance string, ids []string, remove func() error) error {
	take := func(c *claims) error {
		for _, id := range ids {
			delete(c.Networks, id)
		}
		return l.giveBack(ctx, c)
	}
	err := l.change(ctx, instance, take, remove)
	if !isFull(err) {
		return err
	}
	// What is removed makes room to write down the rest.
	if err := remove(); err != nil {
		return err
	}
	return l.change(ctx, instance, take, nil)
}

// isFull reports whether there was no room to write something down.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// giveBack switches off what we switched on and nobody uses. Networks of another store count as users: as long as the
// host has any filter of ours it is left alone, for the last of them to find.
func (l *ledger) giveBack(ctx context.Context, c *claims) error {
	unused := c.unused()
	if len(unused) == 0 {
		return nil
	}
	f, err := l.backend.Facts(ctx, host.Scope{All: true})
	if err != nil {
		return err
	}
	for _, filter := range f.Filters {
		if _, ours := c.Networks[filter.Network]; !ours {
			return nil
		}
	}
	for _, op := range unused {
		if err := l.backend.Do(ctx, op); err != nil {
			return &host.StepError{Step: host.Step{Op: op, From: "/network/forward"}, Err: err}
		}
		if op.IPv6 {
			c.Enabled.IPv6 = false
		} else {
			c.Enabled.IPv4 = false
		}
	}
	return nil
}

// nextLink finds a name for a link: the template with a number that was not given out before, and that no link of the
// host has. It is not given out again once the claims are saved.
func (l *ledger) nextLink(ctx context.Context, c *claims, template string) (string, error) {
	for range 10000 {
		name := strings.Replace(template, "%d", fmt.Sprint(c.Next[template]), 1)
		c.Next[template]++
		if err := host.CheckName(name); err != nil {
			return "", err
		}
		f, err := l.backend.Facts(ctx, host.Scope{Bare: []string{name}})
		if err != nil {
			return "", err
		}
		if f.Link(name) == nil {
			return name, nil
		}
	}
	return "", fail(fs.ErrExist, "no free name for %s", template)
}
