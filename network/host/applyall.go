// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"slices"
	"sync"
)

// servingAtOnce is how many servers [ApplyAll] starts at the same time. A program takes most of the time of a plan, and that to be
// loaded; with more of them they get into each other's way.
const servingAtOnce = 2

// ApplyAll carries out several plans, each as [Apply] does: entirely or not at all. It returns what became of each, in their
// order: nil, or the error of Apply. One that cannot be carried out does not keep the others from it. The plans must not depend
// on each other.
//
// It is faster than one plan after the other. The steps of a plan are done in its order, but all filters that plans begin with
// in one go if the backend is a [Batcher], and servers last, two at a time: each new address of a host wakes every server
// that runs there.
func ApplyAll(ctx context.Context, b Backend, plans []Plan) []error {
	if len(plans) == 1 {
		return []error{Apply(ctx, b, plans[0])}
	}
	courses := make([]course, len(plans))
	for i, p := range plans {
		courses[i] = course{plan: p, err: p.Check()}
	}
	filterAll(ctx, b, courses)
	for i := range courses {
		courses[i].advance(ctx, b, courses[i].firstServer())
	}
	var free sync.WaitGroup
	turns := make(chan *course)
	for range servingAtOnce {
		free.Go(func() {
			for c := range turns {
				c.advance(ctx, b, len(c.plan))
			}
		})
	}
	for i := range courses {
		turns <- &courses[i]
	}
	close(turns)
	free.Wait()
	errs := make([]error, len(courses))
	for i := range courses {
		errs[i] = courses[i].err
	}
	return errs
}

// A course is a plan that is being carried out. One with an error is at its end, and nothing of it is done.
type course struct {
	plan Plan
	done int
	err  error
}

// advance does the steps that are not done yet up to a number of them. If one fails all are taken back.
func (c *course) advance(ctx context.Context, b Backend, to int) {
	ops := c.plan.ops()
	for c.err == nil && c.done < to {
		if together := doTogether(ctx, b, ops[c.done:to]); together > 0 {
			c.done += together
			continue
		}
		step := c.plan[c.done]
		err := ctx.Err()
		if err == nil {
			err = b.Do(ctx, step.Op)
		}
		if err != nil {
			undo := Revert(context.WithoutCancel(ctx), b, c.plan[:c.done])
			c.err = &StepError{Step: step, Err: err, Undo: undo}
			return
		}
		c.done++
	}
}

// firstServer is how many steps come before the first server of a plan.
func (c *course) firstServer() int {
	if i := slices.IndexFunc(c.plan, func(s Step) bool { _, serves := s.Op.(Serve); return serves }); i >= 0 {
		return i
	}
	return len(c.plan)
}

// filterAll does the first steps of plans that begin with a filter, all or none. If it is none, each plan finds out for itself
// which one cannot be done.
func filterAll(ctx context.Context, b Backend, courses []course) {
	batcher, ok := b.(Batcher)
	if !ok {
		return
	}
	var begun []*course
	var ops []Op
	for i := range courses {
		c := &courses[i]
		if c.err != nil || len(c.plan) == 0 {
			continue
		}
		if filter, ok := c.plan[0].Op.(SetFilter); ok {
			begun, ops = append(begun, c), append(ops, filter)
		}
	}
	if len(ops) < 2 || batcher.DoAll(ctx, ops) != nil {
		return
	}
	for _, c := range begun {
		c.done = 1
	}
}
