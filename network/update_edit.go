// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// An edit is an update at work on a document of its own.
type edit struct {
	Update
	n     *Network
	rules schema.Rules
	src   schema.Source // of the XML
	path  string        // of the element in n when it was added or modified, else ""
}

// apply does the update.
func (e *edit) apply() error {
	switch e.Section {
	case SectionBridge, SectionDomain, SectionIP, SectionForward, SectionForwardPF:
		return e.single()
	case SectionDHCPHost:
		return e.dhcpHost()
	case SectionDHCPRange:
		return e.dhcpRange()
	case SectionForwardInterface:
		return e.forwardInterface()
	case SectionPortGroup:
		return e.portGroup()
	case SectionDNSHost:
		return e.dnsHost()
	case SectionDNSTXT:
		return e.dnsTXT()
	case SectionDNSSRV:
		return e.dnsSRV()
	case SectionPortForward:
		return e.portForward()
	}
	return fail(errors.ErrUnsupported, "an update has one of the sections %s", strings.Join(sectionWords[1:], ", "))
}

// skips reports whether the deviation is left out.
func (e *edit) skips(d schema.Deviation) bool { return schema.NewCheck("", e.rules).Skips(d) }

func (e *edit) root() string { return sectionRoots[e.Section] }

// read reads the XML of the update into v, a pointer to the element of the section.
func (e *edit) read(v any) error {
	how := schema.Reader{Strict: !e.rules.Compat, Compat: e.rules.Compat}
	src, complete, err := how.Read(strings.NewReader(e.XML), e.root(), v)
	if err != nil && complete && e.rules.Compat {
		err = dropUnreadOf(v, err)
	}
	if err != nil {
		return err
	}
	e.src = src
	return nil
}

// dropUnreadOf removes the violations of values that libvirt never looks at in the XML of an update.
func dropUnreadOf(v any, err error) error {
	var vs schema.Violations
	if !errors.As(err, &vs) {
		return err
	}
	var lease *Lease
	switch v := v.(type) {
	case *Host:
		lease = v.Lease
	case *Range:
		lease = v.Lease
	}
	vs = slices.DeleteFunc(slices.Clone(vs), func(v *schema.Violation) bool {
		return strings.HasSuffix(v.Path, "/@connections") || lease != nil && !lease.Expiry.Given() && strings.HasSuffix(v.Path, "/lease/@unit")
	})
	if len(vs) == 0 {
		return nil
	}
	return vs
}

// A updateRefusal is a violation of the rules of updates that is of a kind that errors.Is finds.
type updateRefusal struct {
	schema.Violations
	kind error
}

func (r *updateRefusal) Unwrap() []error { return append(r.Violations.Unwrap(), r.kind) }

// As finds the violations.
func (r *updateRefusal) As(target any) bool {
	vs, ok := target.(*schema.Violations)
	if ok {
		*vs = r.Violations
	}
	return ok
}

// refuse returns an error about a place in the XML.
func (e *edit) refuse(kind error, rule, where, format string, args ...any) error {
	vs := e.check(func(c *schema.Check) { c.Form(false, rule, where, format, args...) })
	return &updateRefusal{vs, kind}
}

// check returns what checking finds in the XML, nil for nothing.
func (e *edit) check(checking func(c *schema.Check)) schema.Violations {
	c := schema.NewCheck(e.root(), e.rules)
	checking(c)
	vs, _ := c.Err(e.src).(schema.Violations) //nolint:errorlint // Check.Err returns nothing else
	return vs
}

// checkKey is check for an element that only says which one is meant: no rule but those that libvirt has, and of those
// none that it has for defining a network.
func (e *edit) checkKey(checking func(c *schema.Check)) error {
	c := schema.NewCheck(e.root(), schema.Rules{Compat: true})
	checking(c)
	return withoutDefine(c.Err(e.src))
}

// unsupported refuses a command that the section does not take.
func (e *edit) unsupported(takes string) error {
	word := e.Command.String()
	if word == "" {
		word = "no command"
	}
	return e.refuse(errors.ErrUnsupported, "update-command", "", "the section %s takes %s, not %s", e.Section, takes, word)
}

// apply changes a list of elements of one kind, the children of the element at the path parent, by v. Found are the indexes
// of those that are the same as v by the key of the section, which is said in key.
func apply[T any](e *edit, list *[]T, v T, found []int, parent, key string) error {
	switch e.Command {
	case CommandAddLast, CommandAddFirst:
		if len(found) > 0 {
			return e.refuse(fs.ErrExist, "update-exists", "", "%s has one with %s already: %s", parent, key, e.number(found[0]))
		}
		at := 0
		if e.Command == CommandAddLast {
			at = len(*list)
		}
		*list = slices.Insert(*list, at, v)
		e.path = parent + "/" + e.number(at)
		return nil
	case CommandModify, CommandDelete:
		switch len(found) {
		case 0:
			return e.refuse(fs.ErrNotExist, "update-missing", "", "%s has none with %s", parent, key)
		case 1:
		default:
			return e.refuse(fs.ErrInvalid, "update-several", "", "%s has %d with %s; one has to be meant", parent, len(found), key)
		}
		at := found[0]
		if e.Command == CommandDelete {
			*list = slices.Delete(*list, at, at+1)
			return nil
		}
		(*list)[at] = v
		e.path = parent + "/" + e.number(at)
		return nil
	}
	return e.unsupported("modify, delete, add-last or add-first")
}

// number is one element of a list in a path.
func (e *edit) number(i int) string {
	label := e.root()
	if e.Section == SectionPortForward {
		label = "virtnet:" + label
	}
	return fmt.Sprintf("%s[%d]", label, i+1)
}

// indexes are those of the elements of a list that is takes.
func indexes[T any](list []T, is func(*T) bool) []int {
	var found []int
	for i := range list {
		if is(&list[i]) {
			found = append(found, i)
		}
	}
	return found
}

// first leaves the first of several.
func first(found []int) []int { return found[:min(len(found), 1)] }
