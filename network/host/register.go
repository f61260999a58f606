// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Resolver is what the program that resolves names for a machine, systemd-resolved, knows of its links.
type Resolver struct {
	// Running is whether it runs. If not, nothing else is known.
	Running bool `json:",omitempty"`
	// Links are those with servers or domains of their own.
	Links []ResolverLink `json:",omitempty"`
}

// A ResolverLink is a link with the DNS servers that are asked there.
type ResolverLink struct {
	Link    string
	Servers []netip.Addr `json:",omitempty"`
	// Domains are those whose names the servers are asked for. One that begins with ~ is not tried behind short names.
	Domains []string `json:",omitempty"`
}

func (r Resolver) sort() {
	slices.SortFunc(r.Links, func(a, b ResolverLink) int { return strings.Compare(a.Link, b.Link) })
}

// String is a line for each link.
func (r Resolver) String() string {
	var b strings.Builder
	for _, l := range r.Links {
		fmt.Fprintf(&b, "resolver %s servers %v domains %s\n", l.Link, l.Servers, strings.Join(l.Domains, " "))
	}
	return b.String()
}

// Register has the resolver of the machine ask a server on a link for the names of a domain, in place of what it has asked
// there: resolvectl dns LINK SERVER, and resolvectl domain LINK ~DOMAIN. It ends with the link and with the resolver. Doing it
// again is no error; without a resolver it is errors.ErrUnsupported.
type Register struct {
	Link, Domain string
	Server       netip.Addr
}

// Unregister has the resolver ask nobody on a link: resolvectl revert LINK. Doing it again is no error.
type Unregister Register

// Check refuses what is no name of a link or a domain, and a server that nobody can ask.
func (o Register) Check() error {
	a := o.Server
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Is4In6() || a.Zone() != "" {
		return invalid("name server %s of %s", a, o.Link)
	}
	if o.Domain == "" || strings.Trim(o.Domain, ".") == "" || strings.ContainsFunc(o.Domain, func(r rune) bool { return r <= ' ' || r == '~' || r >= 0x7f }) {
		return invalid("domain %q of %s", o.Domain, o.Link)
	}
	return CheckName(o.Link)
}

// Inverse takes the server and the domain away.
func (o Register) Inverse() Op { return Unregister(o) }

// Scope is the resolver.
func (o Register) Scope() Scope { return Scope{Resolver: true} }

// Holds if the server is asked for the domain.
func (o Register) Holds(f *Facts) bool {
	return slices.ContainsFunc(f.Resolver.Links, func(l ResolverLink) bool {
		return l.Link == o.Link && slices.Contains(l.Servers, o.Server) && slices.Contains(l.Domains, "~"+o.Domain)
	})
}

func (o Register) String() string {
	return "resolver dns " + o.Link + " " + o.Server.String() + " domain ~" + o.Domain
}

// Check is that of Register.
func (o Unregister) Check() error { return Register(o).Check() }

// Inverse registers the server again.
func (o Unregister) Inverse() Op { return Register(o) }

// Scope is the resolver.
func (o Unregister) Scope() Scope { return Register(o).Scope() }

// Holds if the server is not asked for the domain.
func (o Unregister) Holds(f *Facts) bool { return !Register(o).Holds(f) }

func (o Unregister) String() string { return "resolver revert " + o.Link }
