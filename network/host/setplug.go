// SPDX-License-Identifier: Apache-2.0

package host

import "strings"

// SetPlug changes how a link is plugged in, or moves it to another bridge:
//
//	ip link set LINK master BRIDGE
//	bridge link set dev LINK isolated on|off learning on|off flood on|off
//	bridge vlan add|del dev LINK vid ...; bridge fdb add|del STATION dev LINK master static
//
// Both sides are of the same link. A link that is a port of neither bridge is fs.ErrNotExist; the other errors are those of
// Plug, but that it may be done twice. On the same bridge the link never leaves it.
type SetPlug struct {
	Plug, Was Plug
}

// Check refuses what Plug refuses, and two links.
func (o SetPlug) Check() error {
	if o.Plug.Link != o.Was.Link {
		return invalid("plug of link %q in place of %q", o.Plug.Link, o.Was.Link)
	}
	return firstError(o.Plug.Check(), o.Was.Check())
}

// Inverse changes it back.
func (o SetPlug) Inverse() Op { return SetPlug{Plug: o.Was, Was: o.Plug} }

// Scope is the link and both bridges.
func (o SetPlug) Scope() Scope { return o.Plug.Scope().And(o.Was.Scope()) }

// Holds if the link is a port of the bridge, with exactly these flags, and without the VLANs and the station of before.
func (o SetPlug) Holds(f *Facts) bool {
	return o.Plug.Holds(f) && (o.Was.VLANs.IsZero() || f.Link(o.Plug.Link).VLANs == o.Plug.VLANs) &&
		(o.Was.Station == o.Plug.Station || !f.HasStation(o.Was.Link, o.Was.Station))
}

func (o SetPlug) String() string {
	was := strings.TrimPrefix(o.Was.String(), "link set "+o.Was.Link+" ")
	return o.Plug.String() + " (was " + was + ")"
}
