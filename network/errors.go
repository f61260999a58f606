// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
)

// Errors of a [Manager] that say in what state a network is, or why it takes no more ports. Others wrap
// [io/fs.ErrNotExist] for a network or port that is not known, and [io/fs.ErrExist] for one that is already.
var (
	// ErrActive is for what can be done only to a network that does not run.
	ErrActive = errors.New("network is active")
	// ErrBusy is for what can be done only to a network without ports.
	ErrBusy = errors.New("network is in use")
	// ErrInactive is for what can be done only to a network that runs.
	ErrInactive = errors.New("network is not active")
	// ErrFull is for a port that wants more than its network has left: a device, a floor or a traffic class.
	ErrFull = errors.New("network has nothing left")
)

// A NetworkError is why something that was to be done with several networks could not be done with one of them.
type NetworkError struct {
	// Network is its name.
	Network string
	Err     error
}

// Error names the network and says why.
func (e *NetworkError) Error() string { return fmt.Sprintf("network %q: %v", e.Network, e.Err) }

// Unwrap is the reason.
func (e *NetworkError) Unwrap() error { return e.Err }

// A failure is an error with a text of its own and a kind that errors.Is finds.
type failure struct {
	text string
	kind error
}

func fail(kind error, format string, args ...any) error {
	return &failure{text: fmt.Sprintf(format, args...), kind: kind}
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() error { return f.kind }
