// SPDX-License-Identifier: Apache-2.0

package host

// Reflect makes a port of a Linux bridge send back through itself what came in by it and belongs there, as a switch with
// reflective relay does: bridge link set dev LINK hairpin on. Guests in mode vepa behind that port then reach each other.
//
// A link that is a port of no bridge is fs.ErrNotExist. The port forgets it when it leaves its bridge.
type Reflect struct{ Link string }

// Unreflect ends it: bridge link set dev LINK hairpin off.
type Unreflect struct{ Link string }

// Check refuses a name that is none.
func (o Reflect) Check() error { return CheckName(o.Link) }

// Inverse ends it.
func (o Reflect) Inverse() Op { return Unreflect(o) }

// Scope is the link.
func (o Reflect) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the link is a port that reflects.
func (o Reflect) Holds(f *Facts) bool { l := f.Link(o.Link); return l != nil && l.Hairpin }

func (o Reflect) String() string { return "bridge link set dev " + o.Link + " hairpin on" }

// Check refuses a name that is none.
func (o Unreflect) Check() error { return CheckName(o.Link) }

// Inverse begins it again.
func (o Unreflect) Inverse() Op { return Reflect(o) }

// Scope is the link.
func (o Unreflect) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the link is no port that reflects.
func (o Unreflect) Holds(f *Facts) bool { return !Reflect(o).Holds(f) }

func (o Unreflect) String() string { return "bridge link set dev " + o.Link + " hairpin off" }
