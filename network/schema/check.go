// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// A Deviation is the name of a rule that libvirt 11.3 does not have: a document that breaks it would
// be accepted there and then fail later, lose content, or do harm. Each package lists its own.
type Deviation string

// Rules says which rules a document is held to. The zero Rules are all of them.
type Rules struct {
	Compat bool        // leave out every [Deviation]: accept and reject what libvirt 11.3 does
	Allow  []Deviation // leave out these
}

// Skips reports whether the deviation is left out.
func (r Rules) Skips(d Deviation) bool { return r.Compat || slices.Contains(r.Allow, d) }

// A Check walks a document and collects what breaks the rules. It knows the path of the element that
// the walk is in. Use [NewCheck].
type Check struct {
	rules Rules
	path  []step
	found Violations
}

// A step is one element of a path; index is 0 for an element that cannot be repeated.
type step struct {
	name  string
	index int
}

// NewCheck returns a Check that stands in the root element.
func NewCheck(root string, rules Rules) *Check {
	return &Check{rules: rules, path: append(make([]step, 0, 8), step{name: root})}
}

// Rules returns what the document is held to.
func (c *Check) Rules() Rules { return c.rules }

// In checks the child element name, which occurs at most once.
func (c *Check) In(name string, check func()) { c.at(step{name: name}, check) }

// At checks the child element name of that zero-based index among its kind.
func (c *Check) At(name string, index int, check func()) { c.at(step{name, index + 1}, check) }

func (c *Check) at(s step, check func()) {
	c.path = append(c.path, s)
	check()
	c.path = c.path[:len(c.path)-1]
}

// Rule records a violation of the rule unless ok, and returns ok. The place is where: "" the element
// itself, "@name" one of its attributes, "name" or "name/@name" something below.
func (c *Check) Rule(ok bool, rule, where, format string, args ...any) bool {
	if !ok {
		c.fail(rule, where, format, args)
	}
	return ok
}

// Form is [Check.Rule] for the forms of other dialects, which are read only by a reader with Aliases, and so are not
// among the rules of the documents.
func (c *Check) Form(ok bool, rule, where, format string, args ...any) bool {
	if !ok {
		c.fail(rule, where, format, args)
	}
	return ok
}

// Deviates is [Check.Rule] for a rule that libvirt does not have. Where it is left out, it returns true.
func (c *Check) Deviates(ok bool, d Deviation, where, format string, args ...any) bool {
	if ok || c.rules.Skips(d) {
		return true
	}
	c.fail(string(d), where, format, args)
	return false
}

func (c *Check) fail(rule, where, format string, args []any) {
	c.found = append(c.found, &Violation{Path: c.Path(where), Rule: rule, Msg: fmt.Sprintf(format, args...)})
}

// Skips reports whether the deviation is left out, for what only one side needs to look at.
func (c *Check) Skips(d Deviation) bool { return c.rules.Skips(d) }

// Path returns the path of where, as in [Check.Rule].
func (c *Check) Path(where string) string {
	var b []byte
	for _, s := range c.path {
		b = append(append(b, '/'), s.name...)
		if s.index > 0 {
			b = append(strconv.AppendInt(append(b, '['), int64(s.index), 10), ']')
		}
	}
	if where != "" {
		b = append(append(b, '/'), where...)
	}
	return string(b)
}

// Err returns the violations found, with the places where their paths lead in the text of src, or nil
// when there are none.
func (c *Check) Err(src Source) error {
	if len(c.found) == 0 {
		return nil
	}
	src.locate(c.found)
	return c.found
}

// Join returns the violations of several errors as one, in the order of their places; nil when there are none.
// What a later error says about a path that an earlier one has is left out: a value that cannot be read is not
// missing too. An error that is something else is returned as it is.
func Join(errs ...error) error {
	var all Violations
	seen := map[string]bool{}
	for _, err := range errs {
		if err == nil {
			continue
		}
		vs, ok := err.(Violations) //nolint:errorlint // one that wraps violations says more than they do, and is returned as it is
		if !ok {
			return err
		}
		before := len(all)
		for _, v := range vs {
			if !seen[v.Path] {
				all = append(all, v)
			}
		}
		for _, v := range all[before:] {
			seen[v.Path] = true
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *Violation) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return all
}
