// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Discarder = (*Machine)(nil)

// Discard carries out operations, of which those that remove a device leave something for Settle; see [host.Discarder].
func (m *Machine) Discard(ctx context.Context, ops []host.Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		if errs[i] = m.Do(ctx, op); errs[i] != nil {
			continue
		}
		if link := discardable(op); link != "" {
			m.mu.Lock()
			m.discarded = append(m.discarded, link)
			m.mu.Unlock()
		}
	}
	return errs
}

// Remove is Discard with a Settle for what is left, whose error is that of the operations that removed devices.
func (m *Machine) Remove(ctx context.Context, ops []host.Op) []error {
	errs := m.Discard(ctx, ops)
	var left []int
	for i, op := range ops {
		if errs[i] == nil && discardable(op) != "" {
			left = append(left, i)
		}
	}
	if len(left) == 0 {
		return errs
	}
	err := m.Settle(context.WithoutCancel(ctx))
	for _, i := range left {
		errs[i] = err
	}
	return errs
}

// Settle ends what Discard has begun.
func (m *Machine) Settle(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.FailSettle != nil {
		if err := m.FailSettle(); err != nil {
			return err
		}
	}
	defer m.lock().Unlock()
	m.discarded = nil
	return nil
}

// Discarded are the names of the devices that were discarded, in their order, and that nobody has waited for.
func (m *Machine) Discarded() []string {
	defer m.look().Unlock()
	return slices.Clone(m.discarded)
}

// discardable is the name of a device that is removed in two halves; empty for other operations.
func discardable(op host.Op) string {
	switch op := op.(type) {
	case host.DelBridge:
		return op.Link
	case host.DelTap:
		return op.Link
	case host.DelVeth:
		return op.Link
	case host.DelMacvtap:
		if op.Mode != host.Passthru {
			return op.Link
		}
	}
	return ""
}

// pass lets an operation wait for devices whose names it has.
func (m *Machine) pass(op host.Op) {
	if len(m.discarded) > 0 && slices.ContainsFunc(host.LinksOf(op), func(link string) bool { return slices.Contains(m.discarded, link) }) {
		m.discarded = nil
	}
}
