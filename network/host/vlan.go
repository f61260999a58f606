// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxVLAN is the highest number of a VLAN.
const MaxVLAN = 4094

// VLANs are the VLANs that a port of a bridge is in. The zero VLANs are what the kernel gives each port: frames without a
// tag are in VLAN 1, and nothing else passes.
type VLANs struct {
	// Native is the VLAN of frames without a tag that come in; 0 is none: they are dropped.
	Native uint16 `json:",omitempty"`
	// NativeTagged is whether frames of that VLAN go out with its tag.
	NativeTagged bool `json:",omitempty"`
	// Tagged are the others, whose frames come and go with their tags, as in "5,7-9": in their order, without the native one.
	Tagged string `json:",omitempty"`
}

// NewVLANs are the VLANs with these numbers, in any order.
func NewVLANs(native uint16, nativeTagged bool, tagged ...uint16) VLANs {
	tagged = slices.Clone(tagged)
	slices.Sort(tagged)
	tagged = slices.Compact(tagged)
	tagged = slices.DeleteFunc(tagged, func(n uint16) bool { return n == native })
	var parts []string
	for len(tagged) > 0 {
		n := 1
		for n < len(tagged) && tagged[n] == tagged[0]+uint16(n) {
			n++
		}
		part := strconv.Itoa(int(tagged[0]))
		if n > 1 {
			part += "-" + strconv.Itoa(int(tagged[n-1]))
		}
		parts, tagged = append(parts, part), tagged[n:]
	}
	v := VLANs{Native: native, NativeTagged: nativeTagged, Tagged: strings.Join(parts, ",")}
	if v == (VLANs{Native: 1}) {
		return VLANs{} // what the kernel gives each port
	}
	return v
}

// IsZero reports whether it is what the kernel gives each port.
func (v VLANs) IsZero() bool { return v == VLANs{} }

// Tags are the numbers in Tagged. What is no number, or none of a VLAN, is fs.ErrInvalid.
func (v VLANs) Tags() ([]uint16, error) {
	var tags []uint16
	if v.Tagged == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(v.Tagged, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return nil, invalid("VLANs %q", v.Tagged)
		}
		to, err := strconv.ParseUint(last, 10, 16)
		if err != nil || from < 1 || to > MaxVLAN || from > to {
			return nil, invalid("VLANs %q: the numbers are 1 to %d", v.Tagged, MaxVLAN)
		}
		for n := from; n <= to; n++ {
			tags = append(tags, uint16(n))
		}
	}
	return tags, nil
}

func (v VLANs) check() error {
	tags, err := v.Tags()
	switch {
	case err != nil:
		return err
	case v.Native > MaxVLAN:
		return invalid("VLAN %d: the numbers are 1 to %d", v.Native, MaxVLAN)
	case v.Native == 0 && v.NativeTagged:
		return invalid("VLANs %s: the native one is tagged, and there is none", v)
	case NewVLANs(v.Native, v.NativeTagged, tags...) != v:
		return invalid("VLANs %s: they are not in their order, or name one twice", v)
	}
	return nil
}

// String is the VLANs in the words of "bridge vlan".
func (v VLANs) String() string {
	var parts []string
	if v.Native != 0 {
		native := fmt.Sprintf("vid %d pvid", v.Native)
		if !v.NativeTagged {
			native += " untagged"
		}
		parts = append(parts, native)
	}
	if v.Tagged != "" {
		parts = append(parts, "vid "+v.Tagged)
	}
	return strings.Join(parts, " ")
}

// FilterVLANs has a bridge of the host keep VLANs apart, and follow which address is behind which port where somebody
// keeps its table: ip link set LINK type bridge vlan_filtering 1. What is in no VLAN goes on as before. It is shared host
// state: it has no inverse, and doing it again is no error. A missing bridge, or a link that is none, is fs.ErrNotExist; a
// machine whose bridges cannot do it is errors.ErrUnsupported.
type FilterVLANs struct{ Link string }

// Check refuses a name that is none.
func (o FilterVLANs) Check() error { return CheckName(o.Link) }

// Inverse is nil: the bridge is shared.
func (o FilterVLANs) Inverse() Op { return nil }

// Scope is the link.
func (o FilterVLANs) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the bridge keeps VLANs apart.
func (o FilterVLANs) Holds(f *Facts) bool { l := f.Link(o.Link); return l != nil && l.VLANFiltering }

func (o FilterVLANs) String() string { return "link set " + o.Link + " type bridge vlan_filtering 1" }
