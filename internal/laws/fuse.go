// SPDX-License-Identifier: Apache-2.0

package laws

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// errDead is what a program gets that has been killed: nothing it does has any effect any more.
var errDead = errors.New("the program has been killed")

// A fuse counts the changes that a program makes, to its store and to the host, and blows after so many: what comes then
// has no effect, as if the program had been killed there.
type fuse struct {
	mu   sync.Mutex
	left int
	blew bool
}

// spend reports whether one more change may be made.
func (f *fuse) spend() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 {
		f.blew = true
		return false
	}
	f.left--
	return true
}

// blown reports whether a change was refused.
func (f *fuse) blown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blew
}

// A mortalBackend changes the host until its fuse blows.
type mortalBackend struct {
	host.Backend
	fuse *fuse
}

func (b mortalBackend) Do(ctx context.Context, op host.Op) error {
	if !b.fuse.spend() {
		return errDead
	}
	return b.Backend.Do(ctx, op)
}

func (b mortalBackend) DoAll(ctx context.Context, ops []host.Op) error {
	batcher, ok := b.Backend.(host.Batcher)
	if !ok || !b.fuse.spend() {
		return errDead
	}
	return batcher.DoAll(ctx, ops)
}

func (b mortalBackend) Discard(ctx context.Context, ops []host.Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		if errs[i] = errDead; b.fuse.spend() {
			errs[i] = discard(ctx, b.Backend, op)
		}
	}
	return errs
}

func (b mortalBackend) Remove(ctx context.Context, ops []host.Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		errs[i] = b.Do(ctx, op)
	}
	return errs
}

func (b mortalBackend) Settle(ctx context.Context) error {
	if !b.fuse.spend() {
		return errDead
	}
	return host.Settle(ctx, b.Backend)
}

func (b mortalBackend) Leases(ctx context.Context, server string) ([]host.Lease, error) {
	if reader, ok := b.Backend.(host.LeaseReader); ok {
		return reader.Leases(ctx, server)
	}
	return nil, fmt.Errorf("leases: %w", fs.ErrNotExist)
}

// A mortalStore keeps what is saved until its fuse blows.
type mortalStore struct {
	network.Store
	fuse *fuse
}

func (s mortalStore) Save(ctx context.Context, name string, data []byte) error {
	if !s.fuse.spend() {
		return errDead
	}
	return s.Store.Save(ctx, name, data)
}

func (s mortalStore) Remove(ctx context.Context, name string) error {
	if !s.fuse.spend() {
		return errDead
	}
	return s.Store.Remove(ctx, name)
}

// A failingBackend fails one operation, the one with that number counted from 0, once.
type failingBackend struct {
	host.Backend
	mu    sync.Mutex
	at, n int
}

var errInjected = errors.New("injected failure")

// strikes reports whether this is the operation that fails.
func (b *failingBackend) strikes() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	return b.n-1 == b.at
}

func (b *failingBackend) Do(ctx context.Context, op host.Op) error {
	if b.strikes() {
		return errInjected
	}
	return b.Backend.Do(ctx, op)
}

func (b *failingBackend) Discard(ctx context.Context, ops []host.Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		if errs[i] = errInjected; !b.strikes() {
			errs[i] = discard(ctx, b.Backend, op)
		}
	}
	return errs
}

func (b *failingBackend) Remove(ctx context.Context, ops []host.Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		errs[i] = b.Do(ctx, op)
	}
	return errs
}

func (b *failingBackend) Settle(ctx context.Context) error { return host.Settle(ctx, b.Backend) }

// discard discards by one operation, if the backend can do that.
func discard(ctx context.Context, b host.Backend, op host.Op) error {
	if d, ok := b.(host.Discarder); ok {
		return d.Discard(ctx, []host.Op{op})[0]
	}
	return b.Do(ctx, op)
}
