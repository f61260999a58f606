// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"io/fs"
	"strings"
)

// A Violation is one place of a document that breaks one rule.
type Violation struct {
	Path   string // where: /network/ip[2]/dhcp/host[5]/@mac
	Rule   string // the name of the rule: dhcp-host-in-subnet
	Line   int    // in the text the document was read from, counted from 1; 0 when not known
	Column int    // in bytes, counted from 1; 0 when not known
	Msg    string // what was found and what is allowed
}

// Error returns the violation on one line: PATH: MESSAGE [RULE], after LINE:COLUMN where they are known.
func (v *Violation) Error() string {
	if v.Line == 0 {
		return fmt.Sprintf("%s: %s [%s]", v.Path, v.Msg, v.Rule)
	}
	return fmt.Sprintf("%d:%d: %s: %s [%s]", v.Line, v.Column, v.Path, v.Msg, v.Rule)
}

// Is reports that a document which breaks a rule is invalid: errors.Is(err, fs.ErrInvalid).
func (v *Violation) Is(target error) bool { return target == fs.ErrInvalid }

// Violations are all the violations of a document, at least one, in the order of the rules or, where
// the places are known, of the document.
type Violations []*Violation

// Error returns one line for each violation.
func (vs Violations) Error() string {
	lines := make([]string, len(vs))
	for i, v := range vs {
		lines[i] = v.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the violations one by one, so that errors.As finds the first of them.
func (vs Violations) Unwrap() []error {
	errs := make([]error, len(vs))
	for i, v := range vs {
		errs[i] = v
	}
	return errs
}
