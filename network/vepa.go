// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A VEPAPolicy says what becomes of a guest in mode vepa on a device whose switch is not known to reflect: it reaches all
// others, but not the guests of the same device. What the switch says is known only where somebody listens to it, see
// [host.SwitchWatcher]; a switch that was told by hand to reflect, and does not say so, counts as one that does not.
//
// A guest that is attached stays as it is when the switch changes its mind.
type VEPAPolicy uint8

// The policies.
const (
	// VEPATrust attaches it, as libvirt does, and nothing is looked at.
	VEPATrust VEPAPolicy = iota
	// VEPAWarn attaches it, and the note of the step that makes its device says why it may not reach others.
	VEPAWarn
	// VEPARefuse refuses it. The error wraps errors.ErrUnsupported.
	VEPARefuse
	// VEPAFallBack attaches it in mode bridge, in which the host itself delivers between guests that are both in that mode. The
	// note of the step says so; the document of the port goes on to say vepa.
	VEPAFallBack
)

var vepaWords = []string{"trust", "warn", "refuse", "bridge"}

// String returns trust, warn, refuse or bridge.
func (p VEPAPolicy) String() string { return schema.Word(vepaWords, p) }

// Choose returns the mode in which a guest is attached that asks for vepa at the switch s, and what is to be said about it,
// if anything is.
func (p VEPAPolicy) Choose(s host.Switch) (mode schema.MacvtapMode, note string, err error) {
	if p == VEPATrust || s.Relay == host.RelayYes {
		return schema.MacvtapVEPA, "", nil
	}
	why := "does not reflect"
	switch s.Relay {
	case host.RelayUnknown:
		why = "is not known to reflect"
	case host.RelayPossible:
		why = "reflects only while a station asks it to"
	}
	why = fmt.Sprintf("the switch at %s %s", s.Link, why)
	switch p {
	case VEPAWarn:
		return schema.MacvtapVEPA, why, nil
	case VEPAFallBack:
		return schema.MacvtapBridge, "mode bridge in place of vepa: " + why, nil
	}
	return 0, "", fmt.Errorf("%s, as mode vepa needs it to: %w", why, errors.ErrUnsupported)
}
