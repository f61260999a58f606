// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"golang.org/x/sys/unix"
)

// commit has the kernel carry out a transaction. The first result is whether the kernel refused it; another error leaves
// open what it did.
func (s *socket) commit(b *batch) (bool, error) {
	var refused []error
	done := false
	err := s.exchange(&b.messages, len(b.what)-2, func(a answer) {
		if a.err == nil {
			done = true
			return
		}
		refused = append(refused, fmt.Errorf("%s: %w", b.what[a.message], b.meaning(a)))
	})
	switch {
	case len(refused) > 0:
		return true, first(refused)
	case err != nil:
		return false, err
	case !done:
		return false, errors.New("the kernel did not say whether it changed the ruleset")
	}
	return false, nil
}

// first is the first error, which usually is why there are others, with their texts.
func first(errs []error) error {
	const most = 4
	err := errs[0]
	for _, other := range errs[1:min(len(errs), most)] {
		err = fmt.Errorf("%w; %v", err, other)
	}
	if more := len(errs) - most; more > 0 {
		err = fmt.Errorf("%w; and %d more", err, more)
	}
	return err
}

// meaning translates where nf_tables uses a number in its own way: what is missing for something new is a part of the
// kernel, since all names it uses were seen or made in the same transaction.
func (b *batch) meaning(a answer) error {
	var e *rtnl.Error
	if errors.As(a.err, &e) && e.Errno == unix.ENOENT && b.what[a.message].adds {
		return fmt.Errorf("the kernel lacks what that needs: %w: %s", errors.ErrUnsupported, e)
	}
	return a.err
}
