// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// Claims are what the networks of a store have taken of the host together, and nobody may take twice. They are read
// and written under the lock "host".
type claims struct {
	Instance string `json:"instance"`
	// Networks holds what each started network has, by its UUID.
	Networks map[string]claim `json:"networks,omitempty"`
	// Enabled are the families for which forwarding was off before us, to be switched off again behind the last user.
	Enabled forwards `json:"enabled,omitzero"`
	// Ports counts the changes of what ports hold: whoever remembers that reads it anew when the count is another.
	Ports uint64 `json:"ports,omitempty"`
	// Next is the next number for names of links, by template.
	Next map[string]int `json:"next,omitempty"`
}

// A claim is what one network has taken.
type claim struct {
	Name    string         `json:"name"`
	Link    string         `json:"link,omitempty"`
	Subnets []netip.Prefix `json:"subnets,omitempty"`
	// Ports are the forwarded ones.
	Ports []host.PortForward `json:"ports,omitempty"`
	Uses  forwards           `json:"uses,omitzero"`
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

func loadClaims(ctx context.Context, s Store, instance string) (*claims, error) {
	c, err := loadJSON[claims](ctx, s, claimsName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil || c.Instance != instance {
		c = &claims{}
	}
	c.Instance = instance
	if c.Networks == nil {
		c.Networks = map[string]claim{}
	}
	if c.Next == nil {
		c.Next = map[string]int{}
	}
	return c, nil
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

// A ledger is the claims of one host, in a store, under their lock.
type ledger struct {
	store   Store
	backend host.Backend
}

// locked calls f with the claims, under their lock. It is for f to save them.
func (l ledger) locked(ctx context.Context, instance string, f func(*claims) error) error {
	release, err := l.store.Lock(ctx, "host")
	if err != nil {
		return err
	}
	defer release()
	c, err := loadClaims(ctx, l.store, instance)
	if err != nil {
		return err
	}
	return f(c)
}

// change lets f change the claims and saves them, under their lock. If f fails nothing is saved.
func (l ledger) change(ctx context.Context, instance string, f func(*claims) error) error {
	return l.locked(ctx, instance, func(c *claims) error {
		if err := f(c); err != nil {
			return err
		}
		return saveJSON(ctx, l.store, claimsName, c)
	})
}

// release takes back the claim of a network and, if it was the last user, what was switched on for it.
func (l ledger) release(ctx context.Context, instance, id string) error {
	return l.change(ctx, instance, func(c *claims) error {
		delete(c.Networks, id)
		return l.giveBack(ctx, c)
	})
}

// giveBack switches off what we switched on and nobody uses. Networks of another store count as users: as long as the
// host has any filter of ours it is left alone, for the last of them to find.
func (l ledger) giveBack(ctx context.Context, c *claims) error {
	unused := c.unused()
	if len(unused) == 0 {
		return nil
	}
	f, err := l.backend.Facts(ctx, host.Scope{All: true})
	if err != nil {
		return err
	}
	for _, filter := range f.Filters {
		if _, ours := c.Networks[filter.Network]; !ours {
			return nil
		}
	}
	for _, op := range unused {
		if err := l.backend.Do(ctx, op); err != nil {
			return err
		}
		if op.IPv6 {
			c.Enabled.IPv6 = false
		} else {
			c.Enabled.IPv4 = false
		}
	}
	return nil
}

// nextLink finds a name for a link: the template with a number that was not given out before, and that no link of the
// host has. It is not given out again once the claims are saved.
func (l ledger) nextLink(ctx context.Context, c *claims, template string) (string, error) {
	for range 10000 {
		name := strings.Replace(template, "%d", fmt.Sprint(c.Next[template]), 1)
		c.Next[template]++
		if err := host.CheckName(name); err != nil {
			return "", err
		}
		f, err := l.backend.Facts(ctx, host.Scope{Links: []string{name}})
		if err != nil {
			return "", err
		}
		if f.Link(name) == nil {
			return name, nil
		}
	}
	return "", fail(fs.ErrExist, "no free name for %s", template)
}
