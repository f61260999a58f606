// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"
	"maps"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// Claims are what the networks of a store have taken of the host together, and nobody may take twice. They are read
// and written under the lock "host".
type claims struct {
	Instance string `json:"instance"`
	// Networks holds what each started network has, by its UUID. It is what the records of the networks say, and written down
	// nowhere else.
	Networks map[string]claim `json:"-"`
	// Changes counts the changes of that: whoever remembers it reads it anew when the count is another.
	Changes uint64 `json:"changes,omitempty"`
	// Enabled are the families for which forwarding was off before us, to be switched off again behind the last user.
	Enabled forwards `json:"enabled,omitzero"`
	// Ports counts the changes of what ports hold: whoever remembers that reads it anew when the count is another.
	Ports uint64 `json:"ports,omitempty"`
	// Next is the next number for names of links, by template.
	Next map[string]int `json:"next,omitempty"`
}

// A claim is what one network has taken.
type claim struct {
	Name    string
	Link    string
	Subnets []netip.Prefix
	// Ports are the forwarded ones.
	Ports []host.PortForward
	Uses  forwards
}

// forwards is a set of families.
type forwards struct {
	IPv4 bool `json:"ipv4,omitempty"`
	IPv6 bool `json:"ipv6,omitempty"`
}

const claimsName = "run/host"

// claimOf is what the plan of a network takes of the host.
func claimOf(name string, plan host.Plan) claim {
	c := claim{Name: name}
	for _, step := range plan {
		switch op := step.Op.(type) {
		case host.AddBridge:
			c.Link = op.Link
		case host.SetFilter:
			c.Ports = op.Filter.Forwards
		case host.AddAddr:
			c.Subnets = append(c.Subnets, op.Prefix.Masked())
		case host.EnableForwarding:
			if op.IPv6 {
				c.Uses.IPv6 = true
			} else {
				c.Uses.IPv4 = true
			}
		}
	}
	return c
}

// claim is what the network that the record is of has, and what it will have in addition while it is changed or taken over.
func (r *record) claim() claim {
	plan := r.Plan
	if r.Turning != nil {
		plan = slices.Concat(plan, r.Turning.Steps)
	}
	if r.Adopting != nil {
		plan = slices.Concat(plan, r.Adopting.Built)
	}
	return claimOf(r.Name, plan)
}

// conflict is the reason why a network may not have what it wants, because another has it.
func (c *claims) conflict(id string, want claim) error {
	if has, ok := c.Networks[id]; ok && has.Name != want.Name {
		return fail(fs.ErrExist, "/network/uuid: %s belongs to network %q", id, has.Name)
	}
	for _, other := range slices.Sorted(maps.Keys(c.Networks)) {
		if other == id {
			continue
		}
		has := c.Networks[other]
		if want.Link != "" && has.Link == want.Link {
			return fail(fs.ErrExist, "/network/bridge/@name: %s belongs to network %q", want.Link, has.Name)
		}
		if p, ok := firstOverlap(want.Ports, has.Ports); ok {
			return fail(fs.ErrExist, "/network/virtnet:forwards: network %q has the port too: %s", has.Name, p)
		}
		for _, subnet := range want.Subnets {
			for _, taken := range has.Subnets {
				if subnet.Overlaps(taken) {
					return fail(fs.ErrExist, "/network/ip: %s overlaps %s of network %q", subnet, taken, has.Name)
				}
			}
		}
	}
	return nil
}

// firstOverlap returns a forward of which others have a port.
func firstOverlap(want, has []host.PortForward) (host.PortForward, bool) {
	for _, p := range want {
		if slices.ContainsFunc(has, p.Overlaps) {
			return p, true
		}
	}
	return host.PortForward{}, false
}

// take notes what a network takes. Forwarding that the facts say is off counts as switched on by us.
func (c *claims) take(id string, want claim, f *host.Facts) {
	c.Networks[id] = want
	c.Enabled.IPv4 = c.Enabled.IPv4 || want.Uses.IPv4 && !f.Forwarding.IPv4
	c.Enabled.IPv6 = c.Enabled.IPv6 || want.Uses.IPv6 && !f.Forwarding.IPv6
}

// unused is what was switched on by us and has no user left.
func (c *claims) unused() []host.DisableForwarding {
	var used forwards
	for _, n := range c.Networks {
		used.IPv4 = used.IPv4 || n.Uses.IPv4
		used.IPv6 = used.IPv6 || n.Uses.IPv6
	}
	var ops []host.DisableForwarding
	if c.Enabled.IPv4 && !used.IPv4 {
		ops = append(ops, host.DisableForwarding{})
	}
	if c.Enabled.IPv6 && !used.IPv6 {
		ops = append(ops, host.DisableForwarding{IPv6: true})
	}
	return ops
}
