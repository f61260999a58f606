// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"maps"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// A holding is one device of the host with the ports that hold it.
type holding struct {
	ports map[portKey]*portEntry
	// alone are those that have it for themselves. There is at most one, unless records say otherwise.
	alone map[portKey]*portEntry
	// users are how many ports of each network hold it.
	users map[string]int
}

// String says who holds the device, in words that follow its name: who has it alone, or who came first.
func (h *holding) String() string {
	holders, how := h.ports, "is used by "
	if len(h.alone) > 0 {
		holders, how = h.alone, "is held alone by "
	}
	var first *portEntry
	for _, e := range holders {
		if first == nil || e.serial < first.serial {
			first = e
		}
	}
	s := how + first.String()
	if more := len(h.ports) - 1; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// isAlone reports whether the port has its device for itself: in mode passthrough, a PCI device, and with a port extender
// in mode private.
func (p *Port) isAlone() bool {
	switch {
	case p.Plug == nil:
		return false
	case p.Plug.Type == PlugHostdevPCI:
		return true
	case p.Plug.Type != PlugDirect:
		return false
	}
	return p.Plug.Mode == schema.MacvtapPassthrough ||
		p.Plug.Mode == schema.MacvtapPrivate && p.VirtualPort != nil && p.VirtualPort.Type == virtualport.Qbh
}

// identify returns what a device is known by: its place on the PCI bus, otherwise its name. So the name of a function and
// its address are one device.
func (t *portTable) identify(d hostdev.Device) hostdev.Device {
	if d.OnPCI() {
		return hostdev.Device{PCI: d.PCI}
	}
	if key, ok := t.places[d.Name]; ok {
		return hostdev.Device{PCI: key}
	}
	return d
}

// locate adds to a device what is known of its place.
func (t *portTable) locate(d hostdev.Device) hostdev.Device {
	if key, ok := t.places[d.Name]; ok && d.Name != "" {
		d.PCI = key
	}
	return d
}

// learn takes from the facts where devices are on the PCI bus. A device keeps its place when it is seen no more: it loses
// its name when it is passed through.
func (t *portTable) learn(f *host.Facts) {
	seen := map[string]hostdev.Key{}
	for i := range f.Links {
		seen[f.Links[i].Name] = hostdev.Key(f.Links[i].PCI)
	}
	for i := range f.Functions {
		if fn := &f.Functions[i]; fn.Link != "" {
			seen[fn.Link] = hostdev.Key(fn.PCI)
		}
	}
	places := maps.Clone(t.places)
	for name, key := range seen {
		if key == (hostdev.Key{}) {
			delete(places, name)
		} else {
			places[name] = key
		}
	}
	if maps.Equal(places, t.places) {
		return
	}
	t.places = places
	t.holdings = map[hostdev.Device]*holding{}
	for _, e := range t.ports {
		if !e.device.IsZero() {
			t.enter(e)
		}
	}
	for name, n := range t.networks {
		if n.pool != nil {
			t.fill(name, n, n.pool.Devices(), n.offers)
		}
	}
}

// hold enters what a port holds, and gives notice to all pools.
func (t *portTable) hold(e *portEntry) {
	d := t.enter(e)
	if n := t.networks[e.network]; n.pool != nil {
		n.pool.Take(d)
	}
	t.judge(d)
}

// enter enters a port with its device among the holdings.
func (t *portTable) enter(e *portEntry) hostdev.Device {
	d := t.identify(e.device)
	h := t.holdings[d]
	if h == nil {
		h = &holding{ports: map[portKey]*portEntry{}, alone: map[portKey]*portEntry{}, users: map[string]int{}}
		t.holdings[d] = h
	}
	h.ports[e.portKey] = e
	h.users[e.network]++
	if e.port.isAlone() {
		h.alone[e.portKey] = e
	}
	return d
}

// giveUp is the inverse of hold.
func (t *portTable) giveUp(e *portEntry) {
	d := t.identify(e.device)
	h := t.holdings[d]
	delete(h.ports, e.portKey)
	delete(h.alone, e.portKey)
	if h.users[e.network]--; h.users[e.network] == 0 {
		delete(h.users, e.network)
	}
	if len(h.ports) == 0 {
		delete(t.holdings, d)
	}
	if n := t.networks[e.network]; n.pool != nil {
		n.pool.Give(d)
	}
	t.judge(d)
}

// judge tells all pools that have the device who may have it now.
func (t *portTable) judge(d hostdev.Device) {
	for name, n := range t.networks {
		if n.pool != nil && n.pool.Has(d) {
			t.judgeIn(name, n, d)
		}
	}
}

func (t *portTable) judgeIn(network string, n *portNetwork, d hostdev.Device) {
	var closed, shared fmt.Stringer
	if o := n.offers[d]; o.closed != "" {
		closed = o.closed
	} else if o.shared != "" {
		shared = o.shared
	}
	if h := t.held(network, d, true); h != nil {
		shared = h
	}
	if h := t.held(network, d, false); h != nil {
		closed = h
	}
	n.pool.Close(d, closed)
	n.pool.Share(d, shared)
}

// held returns the holding that keeps a new port of a network from the device; nil if none does. The port may want it
// alone.
func (t *portTable) held(network string, d hostdev.Device, alone bool) *holding {
	h := t.holdings[d]
	if h == nil {
		return nil
	}
	own, others := h.users[network] > 0, len(h.ports) > h.users[network]
	if !alone {
		own, others = false, false
		for key := range h.alone {
			own = own || key.network == network && !t.rules.Skips(HeldAlone)
			others = others || key.network != network
		}
	}
	if own || others && !t.rules.Skips(HeldElsewhere) {
		return h
	}
	return nil
}

// obstacles says why devices of the network cannot be had, by what they were offered as.
func (n *portNetwork) obstacles(alone bool) string {
	return n.pool.Obstacles(alone, func(d hostdev.Device) string { return n.offers[d].device.String() })
}
