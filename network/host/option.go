// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
)

// An OptionWarning is a line of [Server].Options that a server does not follow. The server does all else that it is told.
type OptionWarning struct {
	// Index is which of the options it is, from 0.
	Index int
	// Line is the option.
	Line string
	// Reason is why it has no effect.
	Reason string
}

// Error returns the line and the reason.
func (w *OptionWarning) Error() string {
	return fmt.Sprintf("option %d %q has no effect: %s", w.Index+1, w.Line, w.Reason)
}

// Is reports that what it tells of is not supported: errors.Is(err, errors.ErrUnsupported).
func (w *OptionWarning) Is(target error) bool { return target == errors.ErrUnsupported }

// An OptionReader is an [Engine] or a [Backend] that tells beforehand which options of a server it will not follow.
type OptionReader interface {
	// ReadOptions returns what has no effect, in the order of the options. An option that is malformed is an error that wraps
	// fs.ErrInvalid.
	ReadOptions(s Server) ([]*OptionWarning, error)
}
