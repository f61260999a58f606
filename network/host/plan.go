// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A Step is one operation of a plan and what asked for it.
type Step struct {
	Op Op
	// From is the path in the document that asked for the operation, such as "/network/ip[1]/dhcp".
	From string
	// Note is what a person should know about the choice of the operation; empty in most cases.
	Note string
}

// A Plan is a list of operations to be done in this order, or not at all.
type Plan []Step

// Scope names the facts that tell which steps hold.
func (p Plan) Scope() Scope {
	var s Scope
	for _, step := range p {
		s = s.And(step.Op.Scope())
	}
	return s
}

// Check is the first error of a step's own check, as a *StepError.
func (p Plan) Check() error {
	for _, step := range p {
		if err := step.Op.Check(); err != nil {
			return &StepError{Step: step, Err: err}
		}
	}
	return nil
}

// Missing is the part of the plan that does not hold on a machine with these facts: what is left to do, or what has
// drifted.
func (p Plan) Missing(f *Facts) Plan {
	var missing Plan
	for _, step := range p {
		if !step.Op.Holds(f) {
			missing = append(missing, step)
		}
	}
	return missing
}

// Lost is the first link that a step of the plan made and that is gone, or the place of a function that is. It is empty if
// there is none.
func (p Plan) Lost(f *Facts) string {
	for _, step := range p {
		if changer, ok := step.Op.(interface{ changes() (PCI, uint64) }); ok {
			if place, generation := changer.changes(); sameFunction(f.Function(place), place, generation) != nil {
				return place.String()
			}
		}
		maker, ok := step.Op.(interface{ makes() string })
		if ok && !step.Op.Holds(f) && step.Op.Inverse().Holds(f) {
			return maker.makes()
		}
	}
	return ""
}

// Inverse is the plan that takes this one back: the inverses in the opposite order. Steps that change shared host
// state have none and are left out. So are those that only touch a link which an earlier step of the plan made: they
// end with the link, and if it was never made they would touch somebody else's of the same name.
func (p Plan) Inverse() Plan {
	made := map[string]bool{}
	var inverse Plan
	for _, step := range p {
		if on, ok := step.Op.(interface{ on() string }); ok && made[on.on()] {
			continue
		}
		if maker, ok := step.Op.(interface{ makes() string }); ok {
			made[maker.makes()] = true
		}
		if op := step.Op.Inverse(); op != nil {
			inverse = append(inverse, Step{Op: op, From: step.From})
		}
	}
	slices.Reverse(inverse)
	return inverse
}

// String is the plan as text, one step a line, with what asked for it behind.
func (p Plan) String() string {
	width := 0
	lines := make([]string, len(p))
	for i, step := range p {
		lines[i] = step.Op.String()
		if n := len(lines[i]); n > width && n <= 80 {
			width = n
		}
	}
	var b strings.Builder
	for i, step := range p {
		fmt.Fprintf(&b, "%-*s  # %s", width, lines[i], step.From)
		if step.Note != "" {
			b.WriteString(" (" + step.Note + ")")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// A StepError is a step of a plan that could not be done.
type StepError struct {
	Step Step
	Err  error
	// Undo is why earlier steps could not all be taken back; nil if they were, and the machine is as it was.
	Undo error
}

// Error says what asked for the step, what it was, and why it could not be done.
func (e *StepError) Error() string {
	s := fmt.Sprintf("%s: %s: %v", e.Step.From, e.Step.Op, e.Err)
	if e.Undo != nil {
		s += fmt.Sprintf(" (and taking back what was done: %v)", e.Undo)
	}
	return s
}

// Unwrap is the reason, and what stood against taking the rest back.
func (e *StepError) Unwrap() []error {
	if e.Undo != nil {
		return []error{e.Err, e.Undo}
	}
	return []error{e.Err}
}

// Apply carries out a plan. If a step fails, those before it are taken back in the opposite order, also when ctx has
// ended, and the error is a *StepError. Nothing is done if any step's own check fails.
func Apply(ctx context.Context, b Backend, p Plan) error {
	c := course{plan: p, err: p.Check()}
	c.advance(ctx, b, len(p))
	return c.err
}

// ops are the operations of a plan.
func (p Plan) ops() []Op {
	ops := make([]Op, len(p))
	for i, step := range p {
		ops[i] = step.Op
	}
	return ops
}

// doTogether does the first operations together, and returns how many those were; 0 if they are to be done one by one. So are
// those that could not be done: one of them tells why.
func doTogether(ctx context.Context, b Backend, ops []Op) int {
	joiner, ok := b.(Joiner)
	if !ok {
		return 0
	}
	done, err := joiner.DoTogether(ctx, ops)
	if err != nil {
		return 0
	}
	return done
}

// Revert takes a plan back, the last step first. What is no longer there (fs.ErrNotExist) counts as taken back, so a
// plan of which only a part was done can be reverted whole. An error does not end it: the rest is taken back, and all
// errors are returned together.
func Revert(ctx context.Context, b Backend, p Plan) error {
	var errs []error
	for _, step := range p.Inverse() {
		if err := b.Do(ctx, step.Op); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, &StepError{Step: step, Err: err})
		}
	}
	return errors.Join(errs...)
}
