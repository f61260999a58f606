// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"net"
)

// An Engine answers guests in the program that embeds it, where a backend would start a program for it. It ends with the
// process: the leases are written down, and who opens the network next starts another.
type Engine interface {
	// Start answers for a server, and returns when it does. What it cannot do for the server wraps errors.ErrUnsupported,
	// and a port that somebody else has wraps fs.ErrExist. It does not end with ctx.
	Start(ctx context.Context, s Server, g Ground) (Serving, error)
}

// Ground is what an [Engine] stands on.
type Ground struct {
	// Device is the link of the server, as it is in the server's machine.
	Device net.Interface
	// Enter runs f where the sockets that it opens are those of the server's machine.
	Enter func(f func() error) error
	// Leases are given out already.
	Leases []Lease
	// Keep writes changes down. It returns when they are safe from the end of the process, and only then may an answer leave
	// that tells of them. It is called by one goroutine at a time.
	Keep func(changes []LeaseChange) error
	// Warn is told what goes wrong while guests are served, and what of the server's options has no meaning here. It may be called
	// by several goroutines at a time.
	Warn func(error)
}

// A LeaseChange is a lease that was given or renewed or, if it is Gone, given back.
type LeaseChange struct {
	Lease Lease
	Gone  bool `json:",omitempty"`
}

// Serving is a server that answers in this process.
type Serving interface {
	// Set makes it answer as another document says, at once: each packet is answered after the one or the other. The leases
	// stay. A change that it cannot do while it answers wraps errors.ErrUnsupported, and nothing has changed: whoever asks
	// for it ends it and starts another.
	Set(ctx context.Context, s Server) error
	// Close ends it. No packet is answered, and Keep is not called, when it has returned.
	Close() error
}
