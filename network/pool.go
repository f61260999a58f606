// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An offer is a device that a network hands out, unless the host speaks against it.
type offer struct {
	device hostdev.Device
	// closed is why nobody can have it, shared why nobody can have it alone; empty if nothing is the matter.
	closed, shared hostdev.Reason
}

// handsOut reports whether the ports of a network get devices of the host.
func (n *Network) handsOut() bool { return !n.Managed() && !n.HostBridge() }

// expands reports whether the devices are the virtual functions of a <pf>. What the document of a running network lists
// besides it are those that there once were.
func (f *Forward) expands(rules schema.Rules) bool {
	return f.PF != nil && (f.devices() == 0 || !rules.Skips(FreshFunctions))
}

// names returns the devices that a <forward> names itself.
func (f *Forward) names() []hostdev.Device {
	var all []hostdev.Device
	switch {
	case len(f.Interfaces) > 0:
		for i := range f.Interfaces {
			all = append(all, hostdev.Device{Name: f.Interfaces[i].Dev.String()})
		}
	case f.Dev != "":
		all = []hostdev.Device{{Name: f.Dev}}
	default:
		for i := range f.Addresses {
			all = append(all, hostdev.Device{PCI: f.Addresses[i].Key()})
		}
	}
	return all
}

// poolScope names the facts that [portTable.offer] needs for a network.
func poolScope(n *Network, rules schema.Rules) host.Scope {
	if !n.handsOut() {
		return host.Scope{}
	}
	if n.Forward.expands(rules) {
		return host.Scope{Functions: []string{n.Forward.PF.Dev.String()}, Macvtaps: true}
	}
	s := host.Scope{Macvtaps: true}
	for _, d := range n.Forward.names() {
		if d.Name == "" {
			s.PCI = append(s.PCI, host.PCI(d.PCI))
		} else {
			s.Links = append(s.Links, d.Name)
		}
	}
	return s
}

// A poolSource is what a document says of the devices that it hands out.
type poolSource struct {
	mode ForwardMode
	pf   string
	// named are its own devices; nil if they are the functions of pf.
	named []hostdev.Device
}

func (t *portTable) source(live *Network) poolSource {
	if live.Forward.expands(t.rules) {
		return poolSource{mode: live.Mode(), pf: live.Forward.PF.Dev.String()}
	}
	return poolSource{mode: live.Mode(), named: live.Forward.names()}
}

// offered reports whether the table knows what devices a network hands out that runs with this document. Of functions
// that guests share it never does: nobody is ever refused for want of one, which would be the moment to look for others.
func (t *portTable) offered(live *Network) bool {
	shared := live.Mode() != ForwardHostdev && live.Mode() != ForwardPassthrough
	if shared && live.Forward.expands(t.rules) && !t.rules.Skips(FreshFunctions) {
		return false
	}
	return t.made(live)
}

// made reports whether the pool of a network was made of this document.
func (t *portTable) made(live *Network) bool {
	n := t.networks[live.Name]
	if n == nil || n.pool == nil {
		return false
	}
	s := t.source(live)
	return n.source.mode == s.mode && n.source.pf == s.pf && slices.Equal(n.source.named, s.named)
}

// offer tells the table what devices a network hands out now, by its live document and the facts in its [poolScope]. Ports
// keep what they have, also of what is offered no more. It takes time in proportion to the devices, and is for the start
// of a network, a change of it, and for when its devices may have changed. A <pf> without virtual functions wraps
// fs.ErrNotExist.
func (t *portTable) offer(live *Network, f *host.Facts) error {
	if !live.handsOut() {
		return nil
	}
	t.learn(f)
	n := t.network(live.Name)
	v := newView(f)
	var offers []offer
	source := t.source(live)
	if source.pf != "" {
		if t.rules.Skips(FreshFunctions) && n.pool != nil && n.pool.Len() > 0 && t.made(live) {
			return nil
		}
		if offers = t.functions(live, v, source.pf); len(offers) == 0 {
			return noFunctions(live)
		}
	} else {
		for _, d := range source.named {
			offers = append(offers, offer{device: t.locate(d)})
		}
	}
	n.source = source
	order := make([]hostdev.Device, len(offers))
	by := make(map[hostdev.Device]offer, len(offers))
	for i, o := range offers {
		order[i] = t.identify(o.device)
		if !t.rules.Skips(BusyDevice) && o.closed == "" {
			h := t.holdings[order[i]]
			o.closed, o.shared = v.busy(o.device, live.handing(), h != nil)
		}
		by[order[i]] = o
	}
	t.fill(live.Name, n, order, by)
	return nil
}

// noFunctions is the error of a network whose <pf> has nothing to hand out.
func noFunctions(n *Network) error {
	return fail(fs.ErrNotExist, "/network/forward/pf/@dev: %s has no virtual functions that mode %s could use", n.Forward.PF.Dev, n.Mode())
}

// checkFunctions refuses a network whose <pf> has nothing to hand out on a host with these facts.
func checkFunctions(n *Network, f *host.Facts) error {
	if !n.handsOut() || n.Forward.PF == nil || n.Forward.devices() > 0 {
		return nil
	}
	for i := range f.Functions {
		if fn := &f.Functions[i]; fn.PF == n.Forward.PF.Dev.String() && noDevice(n.Mode() == ForwardHostdev, fn) == "" {
			return nil
		}
	}
	return noFunctions(n)
}

// recheckScope names the facts that [portTable.recheck] needs for the device of a port.
func recheckScope(p *Port, d hostdev.Device) host.Scope {
	s := host.Scope{Macvtaps: p.isAlone()}
	if d.OnPCI() {
		s.PCI = []host.PCI{host.PCI(d.PCI)}
	}
	if d.Name != "" {
		s.Links = []string{d.Name}
	}
	return s
}

// recheck reports whether a port that was just given a device can have it, by what is seen of the device now: it may have
// been some time since the network offered it. If it cannot, the table takes note, and the port has to be released and to
// get another one.
func (t *portTable) recheck(live *Network, p *Port, f *host.Facts) bool {
	e, n := t.ports[portKey{live.Name, p.UUID}], t.networks[live.Name]
	if t.rules.Skips(BusyDevice) || e == nil || e.device.IsZero() || n.pool == nil {
		return true
	}
	d := t.identify(e.device)
	o, known := n.offers[d]
	if !known {
		return true // it is taken back, and the network has others now
	}
	whole := live.Mode() == ForwardHostdev
	v := newView(f)
	o.closed, o.shared = "", ""
	if fn := v.places[host.PCI(d.PCI)]; fn != nil && d.OnPCI() {
		if live.Forward.expands(t.rules) {
			o.device.Name = fn.Link
		}
		if o.closed = noDevice(whole, fn); o.closed == "" {
			o.closed = t.groupHeld(fn, p)
		}
	}
	if o.closed == "" {
		o.closed, o.shared = v.busy(o.device, live.handing(), len(t.holdings[d].ports) > 1)
	}
	n.offers[d] = o
	t.judgeIn(live.Name, n, d)
	return o.closed == "" && (o.shared == "" || !p.isAlone()) && (whole || o.device.Name == e.device.Name)
}

// noDevice says that a function has no network device, if it needs one to be handed out.
func noDevice(whole bool, fn *host.Function) hostdev.Reason {
	switch {
	case whole || fn.Link != "":
		return ""
	case fn.Driver == "":
		return "has no network device, and no driver"
	}
	return hostdev.Reason("has no network device, its driver is " + fn.Driver)
}

// fill makes the pool of a network anew.
func (t *portTable) fill(network string, n *portNetwork, order []hostdev.Device, offers map[hostdev.Device]offer) {
	n.offers = make(map[hostdev.Device]offer, len(order))
	again := make([]hostdev.Device, len(order))
	for i, d := range order {
		o := offers[d]
		again[i] = t.identify(o.device)
		n.offers[again[i]] = o
	}
	n.pool = hostdev.NewPool(again...)
	for _, d := range n.pool.Devices() { // which has each once, whatever it was called
		h := t.holdings[d]
		if h != nil {
			for range h.users[network] {
				n.pool.Take(d)
			}
		}
		if o := n.offers[d]; h != nil || o.closed != "" || o.shared != "" {
			t.judgeIn(network, n, d)
		}
	}
}

// functions returns the virtual functions of a card in the order of their numbers, up to the first that is missing. A
// macvtap device needs a network device: functions without one are closed, or as libvirt does it left out.
func (t *portTable) functions(live *Network, v *view, pf string) []offer {
	var offers []offer
	for _, fn := range v.functions[pf] {
		o := offer{device: hostdev.Device{Name: fn.Link, PCI: hostdev.Key(fn.PCI)}}
		if fn.Index != len(offers) {
			break
		}
		o.closed = noDevice(live.Mode() == ForwardHostdev, fn)
		offers = append(offers, o)
	}
	if !t.rules.Skips(BusyDevice) {
		return offers
	}
	var usable []offer
	for _, o := range offers {
		if o.closed == "" {
			usable = append(usable, o)
		}
	}
	return usable
}

// A view is facts about many devices, found by their names.
type view struct {
	links map[string]*host.Link
	// addrs are addresses that somebody gave the links, one each.
	addrs map[string]host.Addr
	// taken are the macvtap devices that have a link for themselves, by the link.
	taken     map[string]string
	functions map[string][]*host.Function
	places    map[host.PCI]*host.Function
}

func newView(f *host.Facts) *view {
	v := &view{
		links: map[string]*host.Link{}, addrs: map[string]host.Addr{}, taken: map[string]string{},
		functions: map[string][]*host.Function{}, places: map[host.PCI]*host.Function{},
	}
	for i := range f.Links {
		l := &f.Links[i]
		v.links[l.Name] = l
		if l.Lower != "" && l.Mode == "passthru" {
			v.taken[l.Lower] = l.Name
		}
	}
	for _, a := range f.Addrs {
		if !a.Prefix.Addr().IsLinkLocalUnicast() || a.Prefix.Addr().Is4() {
			v.addrs[a.Link] = a
		}
	}
	for i := range f.Functions {
		fn := &f.Functions[i]
		v.places[fn.PCI] = fn
		if fn.PF != "" {
			v.functions[fn.PF] = append(v.functions[fn.PF], fn)
		}
	}
	return v
}

// busy says what the host itself does with a device: why nobody can have it, or nobody can have it alone. What it does for
// a port that holds the device is no reason.
func (v *view) busy(d hostdev.Device, whole *handing, held bool) (closed, shared hostdev.Reason) {
	link := d.Name
	if whole != nil {
		fn := v.places[host.PCI(d.PCI)]
		if fn == nil {
			return "is not on this host", ""
		}
		if !held {
			closed = whole.refuses(fn)
		}
		if link = fn.Link; link == "" || closed != "" {
			return closed, ""
		}
	}
	l := v.links[link]
	switch {
	case l == nil && whole == nil:
		return "is not on this host", ""
	case l != nil && l.Master != "":
		return hostdev.Reason("is a port of bridge " + l.Master), ""
	case l != nil && l.Member != "":
		return hostdev.Reason("is a part of " + l.Member), ""
	case v.taken[link] != "" && !held:
		return hostdev.Reason("is taken by the macvtap device " + v.taken[link]), ""
	}
	if a, ok := v.addrs[link]; ok {
		return "", hostdev.Reason(fmt.Sprintf("is used by the host, which has address %s there", a.Prefix))
	}
	return "", ""
}
