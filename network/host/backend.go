// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"os"
)

// A Backend looks at one machine and changes it.
//
// Facts reports what scope names and nothing more; what does not exist is simply absent from the result, and is no
// error. The result belongs to the caller. Facts changes nothing.
//
// Do carries out one operation entirely or not at all: when it returns an error the machine is as it was. It begins
// with op.Check and refuses what that refuses. It does not look whether the operation is wise, and never touches what
// the operation does not name. Its errors wrap the standard sentinels:
//
//   - [io/fs.ErrExist]: what is to be made is already there
//   - [io/fs.ErrNotExist]: what the operation works on is not there, or is there but was not made by its inverse
//     (another address of the hardware, another network's chains, another process)
//   - [io/fs.ErrInvalid]: the operation contradicts itself or the machine's rules
//   - [io/fs.ErrPermission]: the caller may not do this
//   - [errors.ErrUnsupported]: this machine, or this backend, cannot do it
//
// A backend may be used by many goroutines. What only some backends can do is an optional interface, found by
// assertion: [TapOpener], [TapKeeper], [CounterReader], [MacvtapOpener], [LeaseReader],
// [NeighbourReader], [Batcher], [Discarder], [Joiner], [Watcher], [SwitchWatcher].
type Backend interface {
	Facts(ctx context.Context, scope Scope) (*Facts, error)
	Do(ctx context.Context, op Op) error
}

// A TapOpener opens the guest's side of a tap device.
type TapOpener interface {
	// OpenTap returns queues open descriptors of the tap device link, each one queue, with virtio-net headers if
	// the tap was made with them. They are in blocking mode, close on exec, and belong to the caller. More than one
	// queue needs a tap made with Queues above one. A missing device wraps fs.ErrNotExist.
	OpenTap(ctx context.Context, link string, queues int) ([]*os.File, error)
}

// A TapKeeper is a [TapOpener] that has taps open from the moment when it makes them, which spares the machine to close and
// open them again.
type TapKeeper interface {
	TapOpener
	// KeepTap has the next tap of that name that is made stay open, for OpenTap to hand over. Until then nobody else can open it
	// if it has but one queue. Removing the tap ends that, and so does release.
	KeepTap(link string) (release func())
}

// A LeaseReader reads the leases that a running server has given out.
type LeaseReader interface {
	// Leases returns the leases of the server of that name that have not expired, in the order of their addresses.
	// Those of a server that died can be read until it is started again or ended. No such server wraps fs.ErrNotExist.
	Leases(ctx context.Context, server string) ([]Lease, error)
}

// A Joiner does operations together that it would do in more steps than the machine needs if it did them one by one: to make
// a link, and what becomes of it at once.
type Joiner interface {
	// DoTogether does the first of ops together, as many of them as it can, and returns how many those are. All of them are
	// done or none; 0 leaves them to Do, and so does an error: only Do tells which of them cannot be done, and why.
	DoTogether(ctx context.Context, ops []Op) (done int, err error)
}

// A Batcher carries out several operations in one go where that is faster than one by one.
type Batcher interface {
	// DoAll does what Do would do with one operation after the other: all of them or, if it returns an error, none.
	DoAll(ctx context.Context, ops []Op) error
}
