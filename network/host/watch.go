// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"iter"
	"slices"
)

// A Watcher tells that its machine changes, whoever changes it.
type Watcher interface {
	// Watch yields what changes until ctx ends or the loop is left, and leaves nothing behind. The first Change is
	// [Anything]: what happens from then on is told. It is told in its order, once it has happened, and perhaps several
	// times. A reader that is too slow is not waited for; instead of what it missed it gets Anything.
	//
	// What a Change says is where to look, and not what will be seen there. Kernel parameters other than forwarding, and
	// servers that were started by other processes, may be told late or not at all. An error is the last thing that is
	// yielded; the end of ctx is none.
	Watch(ctx context.Context) iter.Seq2[Change, error]
}

// A Change says that something on a machine is no longer as it was.
type Change struct {
	Kind ChangeKind
	// Name is the link, the port, the network of the filter or the server that has changed; empty if it is not known, and could be
	// any of that kind.
	Name string
}

// A ChangeKind is what has changed.
type ChangeKind uint8

// The kinds of changes.
const (
	// Anything may have changed: watching begins, or changes were missed.
	Anything ChangeKind = iota
	// LinkAdded is a link that has appeared, or has got this name.
	LinkAdded
	// LinkChanged is a link with another property, address or bridge.
	LinkChanged
	// LinkRemoved is a link that has gone, or has lost this name.
	LinkRemoved
	// RouteChanged is a route through the link that was added or removed.
	RouteChanged
	// ForwardingChanged is forwarding that was switched on or off.
	ForwardingChanged
	// FilterChanged is the filter of the network.
	FilterChanged
	// ZonesChanged is that firewalld has appeared or gone, has other zones, or has put links into others.
	ZonesChanged
	// ResolverChanged is that the resolver of the machine has appeared or gone, or asks other name servers.
	ResolverChanged
	// ShapeChanged is how the link is shaped, what is guaranteed there, or whether it fills checksums in.
	ShapeChanged
	// OVSPortChanged is a port of Open vSwitch that has appeared, has changed or is gone.
	OVSPortChanged
	// ServerStarted is a server that runs now.
	ServerStarted
	// ServerEnded is a server that has ended or died.
	ServerEnded
	// AssociationChanged is a guest that the switch at the link has taken in or forgotten.
	AssociationChanged
)

var changeWords = [...]string{
	"anything", "link added", "link changed", "link removed", "route changed", "forwarding changed", "filter changed", "zones changed", "resolver changed", "shape changed",
	"port of Open vSwitch changed", "server started", "server ended", "association changed",
}

// String is the kind in words.
func (k ChangeKind) String() string {
	if int(k) < len(changeWords) {
		return changeWords[k]
	}
	return "invalid"
}

// String is the change in words.
func (c Change) String() string {
	if c.Name == "" {
		return c.Kind.String()
	}
	return c.Kind.String() + " " + c.Name
}

// Touches reports whether an operation with that scope may hold no longer, or hold again, after the change. What only
// stands against forwarding ([Forwarding].Blocked) does not count: nothing holds by it.
func (c Change) Touches(s Scope) bool {
	if s.All {
		return true
	}
	named := func(names []string) bool {
		return len(names) > 0 && (c.Name == "" || slices.Contains(names, c.Name))
	}
	switch c.Kind {
	case Anything:
		return true
	case LinkAdded, LinkRemoved, LinkChanged:
		// A link that goes down takes routes along of which nothing is heard.
		return named(s.Links) || named(s.Bare) || named(s.Shapes) || named(s.Filled) || s.Addrs || s.Routes || s.Macvtaps || len(s.Near)+len(s.Functions)+len(s.PCI) > 0 ||
			slices.ContainsFunc(s.Sysctls, func(key string) bool { return named([]string{sysctlLink(key)}) })
	case RouteChanged:
		return s.Routes || len(s.Near) > 0
	case ForwardingChanged:
		return s.Forwarding || len(s.Sysctls) > 0
	case FilterChanged:
		return named(s.Filters)
	case ZonesChanged:
		return s.Zones
	case ResolverChanged:
		return s.Resolver
	case ShapeChanged:
		return named(s.Shapes) || named(s.Filled)
	case OVSPortChanged:
		return named(s.OVSPorts)
	case AssociationChanged:
		return named(s.Associations)
	case ServerStarted, ServerEnded:
		return named(s.Servers)
	}
	return false
}
