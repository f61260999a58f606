// SPDX-License-Identifier: Apache-2.0

package host

import "fmt"

// SetOwner puts our mark on a link that somebody else made, or gives it back: ip link set LINK alias OWNER. Nothing else of
// the link changes, and what passes through it goes on. Was is the mark that it replaces; empty is none on either side.
//
// A link of that name with another hardware address is another one and counts as missing: fs.ErrNotExist. One with neither
// mark has been taken by somebody else: fs.ErrExist.
type SetOwner struct {
	Link       string
	MAC        MAC
	Owner, Was string
}

// Check refuses names, addresses and marks that no link has.
func (o SetOwner) Check() error {
	if o.MAC.IsZero() {
		return invalid("owner of %s: no hardware address", o.Link)
	}
	return firstError(CheckName(o.Link), checkOwner(o.Owner), checkOwner(o.Was))
}

// Inverse puts the old mark back.
func (o SetOwner) Inverse() Op {
	return SetOwner{Link: o.Link, MAC: o.MAC, Owner: o.Was, Was: o.Owner}
}

// Scope is the link.
func (o SetOwner) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the link is there, with the mark.
func (o SetOwner) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l != nil && l.MAC == o.MAC && l.Owner == o.Owner
}

func (o SetOwner) String() string {
	return fmt.Sprintf("link set %s alias %q (was %q)", o.Link, o.Owner, o.Was)
}
