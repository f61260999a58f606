// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A VF is what a card does for one of its virtual functions, whoever has that: a line of ip link show PF. The zero VF is
// one of a card that tells nothing.
type VF struct {
	// MAC is the address that the function gets from the card when its driver starts; zero is none, and the driver makes up
	// one. Some cards tell that one here.
	MAC MAC `json:",omitzero"`
	// VLAN is the VLAN that it is put in without knowing, 0 for none, and QoS its priority there, up to 7. Proto is that of
	// the tags: empty is 802.1Q, the other is [ServiceTag].
	VLAN  int    `json:",omitempty"`
	QoS   int    `json:",omitempty"`
	Proto string `json:",omitempty"`
	// Trust allows it to change its address and to hear what is not for it. SpoofCheck drops what it sends with an address
	// that is not its own.
	Trust      Toggle `json:",omitzero"`
	SpoofCheck Toggle `json:",omitzero"`
	// State is [StateUp] or [StateDown] if that is what the function sees of the wire; empty is the state of the card.
	State string `json:",omitempty"`
	// MinRate and MaxRate are what it may send, in megabits per second; 0 is no limit.
	MinRate int `json:",omitempty"`
	MaxRate int `json:",omitempty"`
}

// ServiceTag is the protocol of the outer tag where a VLAN is inside another one.
const ServiceTag = "802.1ad"

// What a function may see of the wire, whatever the card sees, in the words of "ip link set PF vf N state".
const (
	StateUp   = "enable"
	StateDown = "disable"
)

// A Toggle is a setting that is on or off, where not every machine tells.
type Toggle uint8

// The states of a Toggle. Unknown, which is zero, is that the machine does not tell.
const (
	Unknown Toggle = iota
	Off
	On
)

// String is the state in a word, empty if it is not known.
func (t Toggle) String() string {
	switch t {
	case Off:
		return "off"
	case On:
		return "on"
	}
	return ""
}

// MarshalText returns the same text as String.
func (t Toggle) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (t *Toggle) UnmarshalText(text []byte) error {
	for _, state := range []Toggle{Unknown, Off, On} {
		if state.String() == string(text) {
			*t = state
			return nil
		}
	}
	return invalid("%q is neither on nor off", text)
}

// settings are those of a function in words, by name and in the order in which they are made. VLAN, priority and protocol
// are one.
func (v VF) settings() [6]string {
	vlan := fmt.Sprintf("vlan %d", v.VLAN)
	if v.QoS != 0 {
		vlan += fmt.Sprintf(" qos %d", v.QoS)
	}
	if v.Proto != "" {
		vlan += " proto " + v.Proto
	}
	return [6]string{
		"mac " + v.MAC.String(), vlan, fmt.Sprintf("min_tx_rate %d max_tx_rate %d", v.MinRate, v.MaxRate),
		"spoofchk " + v.SpoofCheck.String(), "state " + cmpOr(v.State, "auto"), "trust " + v.Trust.String(),
	}
}

// String is the settings in the words of iproute2, without those that are as a card has them at first.
func (v VF) String() string { return v.without(VF{}) }

// without is String without what is the same in another.
func (v VF) without(w VF) string {
	ours, others := v.settings(), w.settings()
	return strings.Join(slices.DeleteFunc(ours[:], func(s string) bool { return slices.Contains(others[:], s) }), " ")
}

// with returns v with those settings of w which are others in was.
func (v VF) with(w, was VF) VF {
	if w.MAC != was.MAC {
		v.MAC = w.MAC
	}
	if w.VLAN != was.VLAN || w.QoS != was.QoS || w.Proto != was.Proto {
		v.VLAN, v.QoS, v.Proto = w.VLAN, w.QoS, w.Proto
	}
	if w.MinRate != was.MinRate || w.MaxRate != was.MaxRate {
		v.MinRate, v.MaxRate = w.MinRate, w.MaxRate
	}
	if w.SpoofCheck != was.SpoofCheck {
		v.SpoofCheck = w.SpoofCheck
	}
	if w.State != was.State {
		v.State = w.State
	}
	if w.Trust != was.Trust {
		v.Trust = w.Trust
	}
	return v
}

func (v VF) check() error {
	switch {
	case v.MAC[0]&1 != 0:
		return invalid("hardware address %s", v.MAC)
	case v.VLAN < 0 || v.VLAN > 4095 || v.QoS < 0 || v.QoS > 7:
		return invalid("vlan %d qos %d: at most 4095 and 7 are allowed", v.VLAN, v.QoS)
	case v.Proto != "" && v.Proto != ServiceTag || v.Proto != "" && v.VLAN == 0:
		return invalid("vlan %d of protocol %q", v.VLAN, v.Proto)
	case v.State != "" && v.State != StateUp && v.State != StateDown:
		return invalid("state %q is neither %s nor %s", v.State, StateUp, StateDown)
	case v.MinRate < 0 || v.MaxRate < 0 || v.MaxRate != 0 && v.MinRate > v.MaxRate:
		return invalid("rates from %d to %d", v.MinRate, v.MaxRate)
	case v.Trust > On || v.SpoofCheck > On:
		return invalid("toggles %d and %d", v.Trust, v.SpoofCheck)
	}
	return nil
}

// SetFunction changes what a card does for one of its virtual functions: ip link set PF vf INDEX with what VF and Was do
// not have in common. The rest is not touched. Was is what it replaces.
//
// PF and Index are what the function was called when that was decided. It is found by its place, whatever its card is called by
// then, and it is the same one: if its place is empty, or another one is there, that is fs.ErrNotExist. A setting that the
// card does not have is errors.ErrUnsupported, as is a card whose network device is not here; a value that it refuses is
// fs.ErrInvalid.
type SetFunction struct {
	PCI        PCI
	Generation uint64
	PF         string
	Index      int
	VF, Was    VF
	// Restart is the driver of the host that has the function, with its network device: it starts anew, and its device has the
	// address of the VF from then on. Many a driver does not let a device have another one that somebody has fixed. The device
	// is down for a moment; one that the host uses, or that others stand on, is fs.ErrExist. Zero leaves the driver alone.
	Restart Driver `json:",omitzero"`
}

// Check refuses settings that no card has, and a change of nothing.
func (o SetFunction) Check() error {
	set := o.VF
	switch {
	case o.PCI.IsZero() || o.Index < 0:
		return invalid("function number %d at %s", o.Index, o.PCI)
	case set == o.Was:
		return invalid("function %s: nothing changes", o.PCI)
	case set.Trust != o.Was.Trust && (set.Trust == Unknown || o.Was.Trust == Unknown),
		set.SpoofCheck != o.Was.SpoofCheck && (set.SpoofCheck == Unknown || o.Was.SpoofCheck == Unknown):
		return invalid("function %s: what is not known cannot be put back", o.PCI)
	case o.Restart != Driver{} && (o.Restart.Link == "" || o.Restart.MAC != o.VF.MAC || o.Was.MAC.IsZero() || o.Was.MAC == o.VF.MAC):
		return invalid("function %s: driver %s starts anew for address %s (was %s)", o.PCI, o.Restart, o.VF.MAC, o.Was.MAC)
	}
	return firstError(CheckName(o.PF), o.VF.check(), o.Was.check(), o.Restart.check())
}

// Inverse changes it back.
func (o SetFunction) Inverse() Op {
	o.VF, o.Was = o.Was, o.VF
	if o.Restart.Link != "" {
		o.Restart.MAC = o.VF.MAC
	}
	return o
}

// Scope is the function, and its card, of which the kernel tells when it is changed. What its device carries matters where
// its driver starts anew.
func (o SetFunction) Scope() Scope {
	return Scope{VFs: []PCI{o.PCI}, Links: []string{o.PF}, Macvtaps: o.Restart.Link != ""}
}

// Holds if the card does for the function what the operation changes. The address of one that is trusted is its own
// affair.
func (o SetFunction) Holds(f *Facts) bool {
	fn := f.Function(o.PCI)
	if fn == nil || fn.Generation != o.Generation {
		return false
	}
	is := fn.VF
	if is.Trust == On && o.VF.Trust == On {
		is.MAC = is.with(o.VF, o.Was).MAC
	}
	return is == is.with(o.VF, o.Was)
}

// Next is what the settings are afterwards if they are now those of v.
func (o SetFunction) Next(v VF) VF { return v.with(o.VF, o.Was) }

// Refusal says what stands against the operation on a machine with these facts; nil if nothing does.
func (o SetFunction) Refusal(f *Facts) error {
	fn := f.Function(o.PCI)
	if err := sameFunction(fn, o.PCI, o.Generation); err != nil || !o.Restarts(f) {
		return err
	}
	if fn.Driver != "" && fn.Driver != o.Restart.Name {
		return fmt.Errorf("driver %s has %s, not %s: %w", fn.Driver, fn.PCI, o.Restart.Name, fs.ErrExist)
	}
	return f.leftAlone(fn)
}

// Restarts reports whether a driver has to start anew on a machine with these facts.
func (o SetFunction) Restarts(f *Facts) bool {
	fn := f.Function(o.PCI)
	if o.Restart.Link == "" || fn == nil {
		return false
	}
	l := f.Link(fn.Link)
	return fn.Driver != o.Restart.Name || l == nil || l.Name != o.Restart.Link || l.MAC != o.Restart.MAC
}

// sameFunction refuses a function that is gone, or is another one.
func sameFunction(fn *Function, place PCI, generation uint64) error {
	switch {
	case fn == nil:
		return fmt.Errorf("function %s: %w", place, fs.ErrNotExist)
	case fn.Generation != generation:
		return fmt.Errorf("function %s: it is another one than it was: %w", place, fs.ErrNotExist)
	}
	return nil
}

func (o SetFunction) String() string {
	s := fmt.Sprintf("link set %s vf %d %s (was %s)", o.PF, o.Index, o.VF.without(o.Was), o.Was.without(o.VF))
	if o.Restart.Link != "" {
		s += fmt.Sprintf(", driver %s of %s starts anew", o.Restart.Name, o.Restart.Link)
	}
	return s
}
