// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// An opCase is an operation on a machine, for the laws that every operation keeps.
type opCase struct {
	name string
	// before is done first, and is needed: without it the operation fails with fs.ErrNotExist.
	before []host.Op
	op     host.Op
	// changes is what the operation changes in the facts, as lines with a minus and a plus.
	changes string
	// repeatable operations can be done again without an error, and so can their inverses. Others make something, and
	// then it exists.
	repeatable bool
	// vlans is set if it needs bridges that can keep VLANs apart.
	vlans bool
	// bad are operations of this type that contradict themselves.
	bad []host.Op
	// dangling are operations of this type whose references lead nowhere after before.
	dangling []host.Op
	// libvirt runs a network on the machine after before was done.
	libvirt bool
	// foreign are machines that have something which the inverse must not take for the operation's.
	foreign [][]host.Op
}

func (c opCase) run(t *testing.T, s Suite) {
	if s.lacks(c.op) {
		x := s.open(t, c.before...)
		x.do(c.before...)
		x.refuses(c.op, errors.ErrUnsupported)
		t.Skipf("the machine cannot do %T, as the caller said", c.op)
	}
	if c.vlans {
		c.withoutVLANs(t, s)
	}
	x := s.open(t, append(c.before, c.op)...)
	x.do(c.before...)
	if c.libvirt {
		c = c.from(s.runLibvirt(t))
	}
	for _, op := range c.bad {
		x.refuses(op, fs.ErrInvalid)
	}
	for _, op := range c.dangling {
		x.refuses(op, fs.ErrNotExist)
	}
	before, after := c.forth(x)
	if c.op.Inverse() == nil {
		return
	}
	c.back(x, before, after)
	if len(c.before) > 0 {
		s.open(t, append(c.before, c.op)...).refuses(c.op, fs.ErrNotExist)
	}
	for _, foreign := range c.foreign {
		x := s.open(t, append(foreign, c.op)...)
		x.do(foreign...)
		x.refuses(c.op.Inverse(), fs.ErrNotExist)
	}
}

// forth does the operation, and once more.
func (c opCase) forth(x *bench) (before, after *host.Facts) {
	x.t.Helper()
	before = x.facts()
	if c.op.Holds(before) {
		x.t.Errorf("%s holds before it is done", c.op)
	}
	x.do(c.op)
	after = x.facts()
	if !c.op.Holds(after) {
		x.t.Errorf("%s does not hold after it is done:\n%s", c.op, after)
	}
	if got := diff(before.String(), after.String()); got != c.changes {
		x.t.Errorf("%s changes\n%swant\n%s", c.op, got, c.changes)
	}
	c.repeat(x, c.op, fs.ErrExist)
	return before, after
}

// back takes the operation back, and once more, and then does it again.
func (c opCase) back(x *bench, before, after *host.Facts) {
	x.t.Helper()
	inverse := c.op.Inverse()
	if inverse.Holds(after) {
		x.t.Errorf("%s holds before it is done", inverse)
	}
	x.do(inverse)
	if !inverse.Holds(x.facts()) {
		x.t.Errorf("%s does not hold after it is done", inverse)
	}
	x.same("after "+inverse.String(), before)
	c.repeat(x, inverse, fs.ErrNotExist)
	x.do(inverse.Inverse())
	x.same("after doing it again", after)
	x.do(inverse)
	x.same("after taking it back again", before)
}

// repeat does an operation that was just done.
func (c opCase) repeat(x *bench, op host.Op, want error) {
	x.t.Helper()
	if !c.repeatable {
		x.refuses(op, want)
		return
	}
	before := x.facts()
	x.do(op)
	x.same("after doing it twice", before)
}

// An effect is an operation with consequences that are the kernel's and not in the name of the operation.
type effect struct {
	name   string
	before []host.Op
	op     host.Op
	// changes is as in an opCase.
	changes string
	// err is the error of an operation that fails, and then changes nothing.
	err error
}

func (c effect) run(t *testing.T, s Suite) {
	x := s.open(t, append(c.before, c.op)...)
	x.do(c.before...)
	if c.err != nil {
		x.refuses(c.op, c.err)
		return
	}
	before := x.facts()
	x.do(c.op)
	if got := diff(before.String(), x.facts().String()); got != c.changes {
		t.Errorf("%s changes\n%swant\n%s", c.op, got, c.changes)
	}
}
