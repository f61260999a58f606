// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"slices"
	"strings"
)

// Zones is how firewalld has sorted the links of a machine: each zone has rules of its own for what its links carry.
type Zones struct {
	// Possible is whether the machine has a message bus, on which firewalld runs or may appear.
	Possible bool `json:",omitempty"`
	// Running is whether firewalld runs. If not, nothing else is known.
	Running bool `json:",omitempty"`
	// Names are the zones that there are, and Policies what it calls the rules from one zone to another.
	Names    []string `json:",omitempty"`
	Policies []string `json:",omitempty"`
	// Links are those that are in a zone. The others are in what firewalld calls the default zone, without being counted.
	Links []ZonedLink `json:",omitempty"`
}

// A ZonedLink is a link, which need not be there, in its zone.
type ZonedLink struct{ Link, Zone string }

// Of is the zone that a link is in; empty is none.
func (z Zones) Of(link string) string {
	for _, l := range z.Links {
		if l.Link == link {
			return l.Zone
		}
	}
	return ""
}

// Has reports whether there is a zone of that name.
func (z Zones) Has(zone string) bool { return slices.Contains(z.Names, zone) }

func (z Zones) sort() {
	slices.Sort(z.Names)
	slices.Sort(z.Policies)
	slices.SortFunc(z.Links, func(a, b ZonedLink) int { return strings.Compare(a.Link, b.Link) })
}

// String is a line for firewalld and one for each link in a zone.
func (z Zones) String() string {
	var b strings.Builder
	switch {
	case z.Running:
		fmt.Fprintf(&b, "firewalld zones %s policies %s\n", strings.Join(z.Names, ","), strings.Join(z.Policies, ","))
	case z.Possible:
		b.WriteString("firewalld does not run\n")
	}
	for _, l := range z.Links {
		fmt.Fprintf(&b, "zone %s interface %s\n", l.Zone, l.Link)
	}
	return b.String()
}

// SetZone puts a link into a zone of firewalld, until that ends or forgets it: firewall-cmd --zone=ZONE
// --change-interface=LINK, or with an empty Zone firewall-cmd --zone=WAS --remove-interface=LINK. Was is the zone that it
// comes from; empty is none. The link need not be there: firewalld only knows its name.
//
// A link that is in a zone although Was says none is fs.ErrExist; one that is not in Was, and not in Zone already, counts as
// missing. So does a Zone that firewalld does not have. Without firewalld no link is in a zone, and to put one there is
// errors.ErrUnsupported.
type SetZone struct {
	Link      string
	Zone, Was string
	// Optional is for a zone that nobody demanded: where firewalld does not run or does not have it, nothing is done, and
	// nothing is missing.
	Optional bool `json:",omitempty"`
}

// Check refuses names that are none, and a link that comes from nowhere and goes nowhere.
func (o SetZone) Check() error {
	if o.Zone == "" && o.Was == "" {
		return invalid("link %s without a zone", o.Link)
	}
	for _, zone := range []string{o.Zone, o.Was} {
		if strings.ContainsFunc(zone, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return invalid("zone %q", zone)
		}
	}
	return CheckName(o.Link)
}

// Inverse puts the link back where it was.
func (o SetZone) Inverse() Op { return SetZone{o.Link, o.Was, o.Zone, o.Optional} }

// Scope is the zones.
func (o SetZone) Scope() Scope { return Scope{Zones: true} }

// Holds if the link is in the zone, or if the zone is optional and there is none.
func (o SetZone) Holds(f *Facts) bool {
	return f.Zones.Of(o.Link) == o.Zone || o.Optional && o.Zone != "" && !f.Zones.Has(o.Zone)
}

func (o SetZone) String() string {
	s := "zone " + orNone(o.Zone) + " interface " + o.Link + " (was " + orNone(o.Was) + ")"
	if o.Optional {
		s += " if there is one"
	}
	return s
}

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return name
}
