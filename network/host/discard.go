// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"io/fs"
)

// A Discarder takes devices away in two halves. The first is over as soon as nobody has anything of a device any more; the
// second is the machine's own housekeeping, on which Linux spends 20 to 40 milliseconds for one device and hardly more for
// fifty.
type Discarder interface {
	// Discard carries out operations that have nothing to do with each other, each as Do does, and returns an error or nil
	// for each. Together they may take less time than one by one, and those that remove a device ([DelBridge], [DelTap],
	// [DelVeth], [DelMacvtap]) return at its first half: the device is down, in no bridge, without an address, and in no
	// facts. An operation that names it, or needs a place that it still has, waits for the second half. What stands on the
	// device, and the other end of a pair, go with the second half as well.
	//
	// The second half follows by itself. If this program ends before, it is for the next Settle of any program.
	Discard(ctx context.Context, ops []Op) []error
	// Remove is Discard with both halves of what removes devices: all of them are gone when it returns, in hardly more time
	// than one takes.
	Remove(ctx context.Context, ops []Op) []error
	// Settle returns when all devices are gone that were discarded, by this program or another.
	Settle(ctx context.Context) error
}

// Settle waits for devices that were discarded, if b is a [Discarder].
func Settle(ctx context.Context, b Backend) error {
	if d, ok := b.(Discarder); ok {
		return d.Settle(ctx)
	}
	return nil
}

// Discard takes plans back that have nothing to do with each other, each as [Revert] does, and returns an error or nil for
// each. A [Discarder] gets in one go what they have alike, and devices are gone for good only after [Settle].
func Discard(ctx context.Context, b Backend, plans ...Plan) []error {
	if d, ok := b.(Discarder); ok {
		return revertAll(plans, func(ops []Op) []error { return d.Discard(ctx, ops) })
	}
	return RevertAll(ctx, b, plans...)
}

// RevertAll is [Discard] that returns when devices are gone for good. One plan alone is reverted: nothing goes with it.
func RevertAll(ctx context.Context, b Backend, plans ...Plan) []error {
	if d, ok := b.(Discarder); ok && len(plans) > 1 {
		return revertAll(plans, func(ops []Op) []error { return d.Remove(ctx, ops) })
	}
	errs := make([]error, len(plans))
	for i, p := range plans {
		errs[i] = Revert(ctx, b, p)
	}
	return errs
}

func revertAll(plans []Plan, do func([]Op) []error) []error {
	undone := make([]undoing, len(plans))
	for i, p := range plans {
		undone[i].left = p.Inverse()
	}
	for turn := nextTurn(undone); len(turn) > 0; turn = nextTurn(undone) {
		ops := make([]Op, len(turn))
		for i, u := range turn {
			ops[i] = u.left[0].Op
		}
		for i, err := range do(ops) {
			turn[i].next(err)
		}
	}
	errs := make([]error, len(plans))
	for i, u := range undone {
		errs[i] = errors.Join(u.errs...)
	}
	return errs
}

// nextTurn are the plans of which an operation is next. Filters wait for each other, to be removed in one transaction.
func nextTurn(all []undoing) (turn []*undoing) {
	for _, filters := range []bool{false, true} {
		for i := range all {
			u := &all[i]
			if len(u.left) == 0 {
				continue
			}
			if _, filter := u.left[0].Op.(SetFilter); filter == filters {
				turn = append(turn, u)
			}
		}
		if len(turn) > 0 {
			break
		}
	}
	return turn
}

// An undoing is a plan that is being taken back.
type undoing struct {
	left Plan
	errs []error
}

// next goes on behind an operation that ended with err. As in [Revert], what is not there is taken back.
func (u *undoing) next(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		u.errs = append(u.errs, &StepError{Step: u.left[0], Err: err})
	}
	u.left = u.left[1:]
}
