// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrRefused is what a switch answers that does not take a guest. Its text says why.
var ErrRefused = errors.New("refused by the switch")

// A UUID names a guest's interface for a switch.
type UUID [16]byte

// IsZero reports whether it is the zero UUID, which names nothing.
func (u UUID) IsZero() bool { return u == UUID{} }

// String is the UUID in the usual five groups.
func (u UUID) String() string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// MarshalText returns the same text as String.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (u *UUID) UnmarshalText(text []byte) error {
	digits, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	if err != nil || len(digits) != len(u) || len(text) != 36 {
		return invalid("%q is no uuid", text)
	}
	copy(u[:], digits)
	return nil
}

// A VSI is the interface of a guest as the switch at a network card knows it by 802.1Qbg (VDP): which profile it has, and
// what its frames look like.
type VSI struct {
	// Link is the network card.
	Link string
	// Instance names the interface. No two at one switch have the same.
	Instance UUID
	// Manager is the database of profiles, Type the profile in it, up to 24 bits, and Version which one of that.
	Manager uint8
	Type    uint32
	Version uint8
	// MAC is the address of the guest.
	MAC MAC
	// VLAN is the one that its frames are in at the switch, up to 4094. 0 leaves that to the switch, which few do.
	VLAN uint16
}

// An Association is a VSI that a switch has taken in.
type Association struct {
	VSI
	// Pre says that the switch only holds ready what the guest needs, and does not let it speak yet.
	Pre bool
}

// String is the VSI in the words of vdptool.
func (v VSI) String() string {
	return fmt.Sprintf("dev %s mgrid %d typeid %d typeidver %d uuid %s filter %d-%s", v.Link, v.Manager, v.Type, v.Version, v.Instance, v.VLAN, v.MAC)
}

// String is the association in one line.
func (a Association) String() string { return a.mode() + " " + a.VSI.String() }

func (a Association) mode() string {
	if a.Pre {
		return "preassoc"
	}
	return "assoc"
}

func compareAssociations(a, b Association) int {
	return cmp.Or(cmp.Compare(a.Link, b.Link), bytes.Compare(a.Instance[:], b.Instance[:]))
}

// Associate tells the switch at a network card of a guest, and has it take the guest in:
//
//	vdptool -T -i LINK -V assoc -c mode=assoc -c mgrid2=MANAGER -c typeid=TYPE -c typeidver=VERSION -c uuid=INSTANCE -c filter=VLAN-MAC
//
// With Pre the switch only makes ready, such as for a guest that is on its way here. A guest that it is ready for can be
// associated; one that is associated, or named as another is, is fs.ErrExist. Without the card, or while that is off, the error is
// fs.ErrNotExist, and errors.ErrUnsupported at a switch that takes no guests. What the switch refuses wraps [ErrRefused], and
// a switch that does not answer os.ErrDeadlineExceeded.
//
// The association ends by itself with the card, the agent that speaks for the machine, or the switch, and when the switch says
// so.
type Associate Association

// Disassociate has the switch forget the guest that Associate with the same fields told it of, whether it was associated
// or only made ready for: vdptool -T -i LINK -V deassoc and so on. Another one of that name counts as missing. A switch that
// does not answer forgets by itself, and is no error.
type Disassociate Association

// Check refuses names, numbers and addresses that cannot be.
func (o Associate) Check() error {
	switch {
	case o.Instance.IsZero():
		return invalid("association of %s: no uuid", o.Link)
	case o.Type >= 1<<24:
		return invalid("association of %s: type %d is above %d", o.Link, o.Type, 1<<24-1)
	case o.MAC.IsZero() || o.MAC[0]&1 != 0:
		return invalid("association of %s: hardware address %s", o.Link, o.MAC)
	case o.VLAN > 4094:
		return invalid("association of %s: vlan %d is above 4094", o.Link, o.VLAN)
	}
	return CheckName(o.Link)
}

// Inverse has the switch forget the guest.
func (o Associate) Inverse() Op { return Disassociate(o) }

// Scope is what the switch at the card knows.
func (o Associate) Scope() Scope { return Scope{Associations: []string{o.Link}} }

// Holds if the switch has taken in exactly this guest, in this way.
func (o Associate) Holds(f *Facts) bool { return f.Association(o.Link, o.Instance) == Association(o) }

func (o Associate) String() string { return "vdp " + Association(o).String() }

// Check is that of Associate.
func (o Disassociate) Check() error { return Associate(o).Check() }

// Inverse tells the switch of the guest again.
func (o Disassociate) Inverse() Op { return Associate(o) }

// Scope is what the switch at the card knows.
func (o Disassociate) Scope() Scope { return Associate(o).Scope() }

// Holds if the switch does not know this guest.
func (o Disassociate) Holds(f *Facts) bool { return f.Association(o.Link, o.Instance).VSI != o.VSI }

func (o Disassociate) String() string { return "vdp deassoc " + o.VSI.String() }
