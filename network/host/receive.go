// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// A Receive is what a device takes of what comes by: what is for its address and for everybody, and what is said here.
type Receive struct {
	Link string
	// MAC is the address of the device, which is that of its guest.
	MAC MAC
	// Promiscuous takes everything, AllMulticast everything that is for a group. A device in mode passthru is born promiscuous;
	// otherwise the device below takes what it would take without it, and what is for the groups.
	Promiscuous  bool `json:",omitempty"`
	AllMulticast bool `json:",omitempty"`
	// Groups are those whose frames are taken, sorted.
	Groups []MAC `json:",omitempty"`
}

// MaxGroups is how many groups a device may be in; who wants more takes all.
const MaxGroups = 64

// Equal reports whether both take the same.
func (r Receive) Equal(s Receive) bool {
	return r.Link == s.Link && r.MAC == s.MAC && r.Promiscuous == s.Promiscuous && r.AllMulticast == s.AllMulticast && slices.Equal(r.Groups, s.Groups)
}

// String is what is taken in the words of "ip link".
func (r Receive) String() string {
	s := fmt.Sprintf("%s address %s promisc %s allmulticast %s", r.Link, r.MAC, onOff(r.Promiscuous), onOff(r.AllMulticast))
	var groups []string
	for _, g := range r.Groups {
		groups = append(groups, g.String())
	}
	if len(groups) > 0 {
		s += " groups " + strings.Join(groups, ",")
	}
	return s
}

func compareMACs(a, b MAC) int { return bytes.Compare(a[:], b[:]) }

func (r Receive) check(link string) error {
	switch {
	case r.Link != link:
		return invalid("what %s receives, for %s", r.Link, link)
	case r.MAC.IsZero() || r.MAC[0]&1 != 0:
		return invalid("hardware address %s of %s", r.MAC, link)
	case len(r.Groups) > MaxGroups:
		return invalid("%d groups of %s, at most %d are allowed", len(r.Groups), link, MaxGroups)
	}
	for i, g := range r.Groups {
		if g[0]&1 == 0 || i > 0 && compareMACs(r.Groups[i-1], g) >= 0 {
			return invalid("group %s of %s is none, or not in its order", g, link)
		}
	}
	return CheckName(link)
}

// SetReceive changes what a device takes, as its guest asks who may do that:
//
//	ip link set LINK address MAC promisc on|off allmulticast on|off
//	ip link set LINK type macvtap promisc|nopromisc     in mode passthru
//	bridge fdb add|del GROUP dev LINK self
//
// Was is what it replaces. A missing link is fs.ErrNotExist, and an address that another device on the same card has
// already is fs.ErrExist.
type SetReceive struct {
	Link         string
	Receive, Was Receive
}

// Check refuses addresses and groups that are none, and those of another link.
func (o SetReceive) Check() error { return firstError(o.Receive.check(o.Link), o.Was.check(o.Link)) }

// Inverse changes it back.
func (o SetReceive) Inverse() Op { return SetReceive{Link: o.Link, Receive: o.Was, Was: o.Receive} }

// Scope is what the link takes.
func (o SetReceive) Scope() Scope { return Scope{Receives: []string{o.Link}} }

// Holds if the link takes exactly that.
func (o SetReceive) Holds(f *Facts) bool {
	r, ok := f.Receive(o.Link)
	return ok && r.Equal(o.Receive)
}

func (o SetReceive) String() string {
	return fmt.Sprintf("link set %s (was %s)", o.Receive, strings.TrimPrefix(o.Was.String(), o.Was.Link+" "))
}
