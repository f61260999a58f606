// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"strings"
)

// Forwarding is whether a machine passes packets on from one link to another.
type Forwarding struct {
	IPv4, IPv6 bool
	// Blocked names the links that have routes from router advertisements and would lose them once the machine
	// forwards IPv6: those whose accept_ra is not 2. It is empty where the machine does.
	Blocked []string
}

// String is a line for each family that is forwarded.
func (f Forwarding) String() string {
	var b strings.Builder
	if f.IPv4 {
		b.WriteString("forwarding ipv4\n")
	}
	if f.IPv6 {
		b.WriteString("forwarding ipv6\n")
	}
	for _, link := range f.Blocked {
		fmt.Fprintf(&b, "forwarding ipv6 would cost the routes of %s\n", link)
	}
	return b.String()
}

// EnableForwarding makes the machine a router for one family: sysctl -w net.ipv4.ip_forward=1, or
// net.ipv6.conf.all.forwarding=1. It is shared host state: it comes last in a plan and has no inverse. Doing it again
// is no error.
type EnableForwarding struct{ IPv6 bool }

// DisableForwarding gives back what EnableForwarding took, when its last user has gone: sysctl -w net.ipv4.ip_forward=0,
// or net.ipv6.conf.all.forwarding=0. Doing it again is no error.
type DisableForwarding struct{ IPv6 bool }

// Check finds nothing to refuse.
func (o EnableForwarding) Check() error { return nil }

// Inverse is nil: the machine is shared.
func (o EnableForwarding) Inverse() Op { return nil }

// Scope is the machine's forwarding.
func (o EnableForwarding) Scope() Scope { return Scope{Forwarding: true} }

// Holds if the machine forwards the family.
func (o EnableForwarding) Holds(f *Facts) bool {
	if o.IPv6 {
		return f.Forwarding.IPv6
	}
	return f.Forwarding.IPv4
}

func (o EnableForwarding) String() string { return "sysctl " + forwardingKey(o.IPv6) + "=1" }

// Check finds nothing to refuse.
func (o DisableForwarding) Check() error { return nil }

// Inverse is nil: the machine is shared.
func (o DisableForwarding) Inverse() Op { return nil }

// Scope is the machine's forwarding.
func (o DisableForwarding) Scope() Scope { return Scope{Forwarding: true} }

// Holds if the machine does not forward the family.
func (o DisableForwarding) Holds(f *Facts) bool { return !EnableForwarding(o).Holds(f) }

func (o DisableForwarding) String() string { return "sysctl " + forwardingKey(o.IPv6) + "=0" }

func forwardingKey(ipv6 bool) string {
	if ipv6 {
		return "net/ipv6/conf/all/forwarding"
	}
	return "net/ipv4/ip_forward"
}
