// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A handing is how a network hands functions over whole; nil is of a network that does not.
type handing struct {
	// managed says that they are taken from whoever has them; otherwise somebody has given them to the right driver before.
	managed bool
	// driver is the one that is to have them; empty is any that hands devices over.
	driver string
}

// handing is that of a network.
func (n *Network) handing() *handing {
	if n.Mode() != ForwardHostdev {
		return nil
	}
	h := &handing{managed: n.Forward.Managed == schema.Yes}
	if d := n.Forward.Driver; d != nil {
		h.driver = d.Model.String()
	}
	return h
}

// refuses says what stands against handing a function over, besides what its network device is used for; empty if nothing
// does.
func (h *handing) refuses(fn *host.Function) hostdev.Reason {
	s, shares := fn.Shared()
	right := host.PassesThrough(fn.Driver) && (h.driver == "" || h.driver == fn.Driver)
	switch {
	case shares:
		return hostdev.Reason(fmt.Sprintf("is in IOMMU group %s with %s, which driver %s has", fn.Group, s.PCI, s.Driver))
	case !h.managed && fn.Driver == "":
		return "is not managed, and no driver has it"
	case !h.managed && !right:
		return hostdev.Reason("is not managed, and driver " + fn.Driver + " has it")
	case fn.Link == "" && fn.Driver != "" && fn.Driver != "pci-stub" && !host.PassesThrough(fn.Driver):
		return hostdev.Reason("has driver " + fn.Driver + " and no network device here: it may be in use in another network namespace")
	}
	return ""
}

// groupHeld says which guest has another device of a function's IOMMU group, in words that follow the function's name, and
// is empty if the guest of the port may have the function: groups belong to guests as a whole.
func (t *portTable) groupHeld(fn *host.Function, p *Port) hostdev.Reason {
	if fn == nil || p.Plug.Type != PlugHostdevPCI {
		return ""
	}
	for _, s := range fn.Siblings {
		h := t.holdings[hostdev.Device{PCI: hostdev.Key(s.PCI)}]
		if h == nil {
			continue
		}
		for _, e := range h.alone {
			if e.port.Plug.Type == PlugHostdevPCI && !e.port.Owner.is(p.Owner) {
				return hostdev.Reason(fmt.Sprintf("is in IOMMU group %s with %s, which %s", fn.Group, s.PCI, h))
			}
		}
	}
	return ""
}

// is reports whether both are the same guest: by their uuids or, without, by their names.
func (o *Owner) is(other *Owner) bool {
	if o == nil || other == nil {
		return false
	}
	return o.UUID == other.UUID && (!o.UUID.IsZero() || o.Name == other.Name)
}
