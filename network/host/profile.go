// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Profile is what a port extender (802.1Qbh) gives a guest at a network card, or at one of the card's virtual functions.
type Profile struct {
	// Link is the card, and VF the number of the function; Self is the card itself.
	Link string
	VF   int
	// Name is that of the profile, at most 39 bytes, which the switch knows.
	Name string
	// Guest is the one that has it.
	Guest UUID
}

// Self is the VF of a profile that the card has itself.
const Self = -1

// maxProfile is the length of the longest name, and maxFunction the highest number that the kernel takes.
const (
	maxProfile  = 39
	maxFunction = 1<<16 - 1
)

// String is the profile in one line.
func (p Profile) String() string {
	vf := ""
	if p.VF != Self {
		vf = fmt.Sprintf(" vf %d", p.VF)
	}
	return fmt.Sprintf("dev %s%s profile %q guest %s", p.Link, vf, p.Name, p.Guest)
}

func compareProfiles(a, b Profile) int {
	return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.VF, b.VF))
}

// AddProfile asks the port extender behind a network card for a profile, through the driver of the card, and waits until it
// has it. MAC is the address of the guest. The cards of which the driver can do so are few: with others it is
// errors.ErrUnsupported. A missing card is fs.ErrNotExist, and one that has a profile already fs.ErrExist. What the switch
// refuses wraps [ErrRefused], and a switch that does not answer os.ErrDeadlineExceeded; then nothing is left of it. There is no
// command that does it.
type AddProfile struct {
	Profile
	MAC MAC
}

// DelProfile gives back a profile that AddProfile with the same fields asked for. Another one counts as missing.
type DelProfile AddProfile

// Check refuses names, numbers and addresses that cannot be.
func (o AddProfile) Check() error {
	switch {
	case o.Name == "" || len(o.Name) > maxProfile:
		return invalid("profile of %s: name of %d bytes, 1 to %d are allowed", o.Link, len(o.Name), maxProfile)
	case !utf8.ValidString(o.Name) || strings.ContainsFunc(o.Name, unicode.IsControl):
		return invalid("profile of %s: control character in %q", o.Link, o.Name)
	case o.VF < Self || o.VF > maxFunction:
		return invalid("profile of %s: virtual function %d", o.Link, o.VF)
	case o.Guest.IsZero():
		return invalid("profile of %s: no uuid of a guest", o.Link)
	case o.MAC.IsZero() || o.MAC[0]&1 != 0:
		return invalid("profile of %s: hardware address %s", o.Link, o.MAC)
	}
	return CheckName(o.Link)
}

// Inverse gives it back.
func (o AddProfile) Inverse() Op { return DelProfile(o) }

// Scope is the profiles of the card.
func (o AddProfile) Scope() Scope { return Scope{Profiles: []string{o.Link}} }

// Holds if the guest has the profile there.
func (o AddProfile) Holds(f *Facts) bool { return f.Profile(o.Link, o.VF) == o.Profile }

func (o AddProfile) String() string {
	return fmt.Sprintf("port profile add %s mac %s", o.Profile, o.MAC)
}

// Check is that of AddProfile.
func (o DelProfile) Check() error { return AddProfile(o).Check() }

// Inverse asks for it again.
func (o DelProfile) Inverse() Op { return AddProfile(o) }

// Scope is the profiles of the card.
func (o DelProfile) Scope() Scope { return AddProfile(o).Scope() }

// Holds if the guest has no such profile there.
func (o DelProfile) Holds(f *Facts) bool { return f.Profile(o.Link, o.VF) != o.Profile }

func (o DelProfile) String() string { return "port profile del " + o.Profile.String() }
