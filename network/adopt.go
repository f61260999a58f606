// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An AdoptRequest says what is taken over from libvirt.
type AdoptRequest struct {
	// Name is that of the network.
	Name string
	// Network is what it runs with, as virsh net-dumpxml prints it. Nil reads what libvirt itself has written down. It stays
	// the caller's.
	Network *Network
	// Ports tells of guests of which libvirt has no port on the network, and takes the place of those it has: those that libvirt
	// has come along by themselves.
	Ports []AdoptPort
}

// An AdoptPort is a guest that is plugged into a network.
type AdoptPort struct {
	// Link is its tap on the host.
	Link string `json:"link"`
	// Port is the document. Its plug is the bridge of the network, whatever it says; a zero UUID is chosen.
	Port *Port `json:"port"`
}

// An Adoption is how a network becomes one of ours that libvirt runs. It belongs to the caller.
type Adoption struct {
	// Network is what it runs with, and Definition what it starts with the next time; nil for a transient network.
	Network    *Network `json:"network"`
	Definition *Network `json:"definition,omitempty"`
	// Autostart says that it is started by itself, by us from now on.
	Autostart bool `json:"autostart,omitempty"`
	// Plan is what is done. Its last step is the one with which libvirt forgets the network: before it can all be taken back.
	Plan host.Plan `json:"plan"`
	// After is what is done then.
	After host.Plan `json:"after"`
	// Built is what then stands, as if we had started the network.
	Built host.Plan `json:"built"`
	// Ports are the guests that become ports of the network.
	Ports []AdoptPort `json:"ports,omitempty"`
	// Others are the links that stay plugged into the bridge without being known as ports.
	Others []string `json:"others,omitempty"`
	// Daemon is the process of libvirt that has to be ended before; 0 if it does not run.
	Daemon int `json:"daemon,omitempty"`
}

// AdoptScope names the facts that [PlanAdopt] needs for a network.
func AdoptScope(n *Network) host.Scope {
	s := PlanScope(n).And(host.Scope{All: true, Libvirt: true})
	if n.Bridge != nil {
		for _, p := range bridgeSysctls {
			s = s.And(host.Scope{Sysctls: []string{"net/ipv6/conf/" + n.Bridge.Name + "/" + p.name}})
		}
	}
	return s
}

// PlanAdopt turns a network that libvirt runs on a host with these facts into what has to be done so that it is ours. The
// bridge is kept as it is, with its ports and whatever differs from the document; what the document asks for and is
// missing is done. Our packet filter is there before libvirt's rules go, and our server follows libvirt's at once.
//
// A network that libvirt does not run wraps fs.ErrNotExist, one whose bridge is not what libvirt says or ours already
// fs.ErrExist, and one with settings that cannot be taken over errors.ErrUnsupported: a <bandwidth>, a floor of a port.
func PlanAdopt(rules schema.Rules, req AdoptRequest, f *host.Facts) (*Adoption, error) {
	a, err := planAdoption(rules, req, f)
	if err != nil {
		return nil, err
	}
	return &a.Adoption, nil
}

// planAdoption is PlanAdopt, with the records of the ports.
func planAdoption(rules schema.Rules, req AdoptRequest, f *host.Facts) (*adoption, error) {
	n, err := req.network(f)
	if err != nil {
		return nil, err
	}
	if err := n.ValidateAs(rules); err != nil {
		return nil, err
	}
	a := &adoption{
		Adoption: Adoption{Network: n, Daemon: f.Libvirt.Daemon}, request: req, facts: f, theirs: f.Libvirt.Network(req.Name),
	}
	for _, step := range []func(schema.Rules) error{a.checkKind, a.checkBridge, a.define, a.build, a.plugPorts, a.plan} {
		if err := step(rules); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// network is what the network runs with.
func (req *AdoptRequest) network(f *host.Facts) (*Network, error) {
	theirs := f.Libvirt.Network(req.Name)
	if theirs == nil || theirs.Status == "" {
		return nil, fail(fs.ErrNotExist, "libvirt runs no network %q", req.Name)
	}
	var n *Network
	if req.Network != nil {
		n = req.Network.Clone()
	} else {
		var err error
		if n, err = ParseStatus(strings.NewReader(theirs.Status)); err != nil {
			return nil, fmt.Errorf("libvirt's network %q: %w", req.Name, err)
		}
		n.Source = schema.Source{}
	}
	if n.Name != req.Name {
		return nil, fail(fs.ErrInvalid, "/network/name: the document of network %q is that of %q", req.Name, n.Name)
	}
	n.Connections = schema.Number{}
	return n, nil
}

// An adoption is one that is being planned.
type adoption struct {
	Adoption
	request AdoptRequest
	facts   *host.Facts
	theirs  *host.LibvirtNetwork
	taps    []*portRecord
}

// checkKind refuses networks of which there is nothing to take over, or that cannot be.
func (a *adoption) checkKind(schema.Rules) error {
	n := a.Network
	switch {
	case !n.Managed():
		return fail(errors.ErrUnsupported, "/network/forward/@mode: libvirt made no bridge for network %q: it is defined and started, not taken over", n.Name)
	case n.UUID.IsZero() || n.Bridge == nil || n.Bridge.Name == "" || n.MAC == nil || n.MAC.Address.IsZero():
		return fail(fs.ErrInvalid, "/network: the document of a network that runs has a uuid, and a bridge with its name and hardware address")
	case n.Bandwidth != nil:
		return fail(errors.ErrUnsupported, "/network/bandwidth: what libvirt shapes on %s cannot be taken over", n.Bridge.Name)
	}
	return nil
}

// checkBridge refuses a bridge that is not the one of the document.
func (a *adoption) checkBridge(schema.Rules) error {
	name := a.Network.Bridge.Name
	l := a.facts.Link(name)
	switch {
	case l == nil || l.Kind != host.Bridge:
		return fail(fs.ErrNotExist, "/network/bridge/@name: the host has no bridge %s", name)
	case l.MAC != host.MAC(a.Network.MAC.Address):
		return fail(fs.ErrExist, "/network/mac/@address: bridge %s has the address %s, not %s", name, l.MAC, a.Network.MAC.Address)
	case strings.HasPrefix(l.Owner, ownerPrefix):
		return fail(fs.ErrExist, "/network/bridge/@name: bridge %s is ours already: %s", name, l.Owner)
	}
	return nil
}

// define reads what libvirt starts the network with the next time.
func (a *adoption) define(rules schema.Rules) error {
	if a.theirs.Definition == "" {
		return nil
	}
	n, err := Parse(strings.NewReader(a.theirs.Definition))
	if err == nil {
		err = n.ValidateAs(rules)
	}
	if err == nil && n.UUID != a.Network.UUID {
		err = fail(fs.ErrInvalid, "/network/uuid: it is %s, and %s of the network that runs", n.UUID, a.Network.UUID)
	}
	if err != nil {
		return fmt.Errorf("libvirt's definition of network %q: %w", a.request.Name, err)
	}
	n.Source = schema.Source{}
	a.Definition, a.Autostart = n, a.theirs.Autostart
	return nil
}

// build plans the network as if its bridge were not there, and then keeps the bridge as it is.
func (a *adoption) build(rules schema.Rules) error {
	bridge := a.facts.Link(a.Network.Bridge.Name)
	plan, err := PlanAs(rules, a.Network, withoutLink(a.facts, bridge.Name), nil)
	if err != nil {
		return err
	}
	for i, step := range plan {
		op, ok := step.Op.(host.AddBridge)
		if !ok {
			continue
		}
		op.STP, op.ForwardDelay = bridge.STP, bridge.ForwardDelay
		if op.MTU != 0 {
			op.MTU = bridge.MTU
		}
		plan[i].Op = op
	}
	a.Built = plan
	return nil
}

// plan finds what is to be done: what does not hold of what is built.
func (a *adoption) plan(schema.Rules) error {
	for _, step := range a.Built {
		if step.Op = a.take(step.Op); step.Op != nil {
			a.Plan = append(a.Plan, step)
		}
	}
	if s := a.facts.Libvirt.Server(a.request.Name); s != nil && !a.serves() {
		return fail(errors.ErrUnsupported, "/network/dns: libvirt has a server for network %q, which would have none", a.request.Name)
	}
	for _, tap := range a.taps {
		op := tap.Plan[0].Op.(host.AddTap)
		mark := host.SetOwner{Link: op.Link, MAC: op.MAC, Owner: op.Owner, Was: a.facts.Link(op.Link).Owner}
		a.Plan = append(a.Plan, host.Step{From: tap.Plan[0].From, Op: mark})
	}
	a.Plan = append(a.Plan, host.Step{From: "/network/name", Op: host.Disown{Network: *a.theirs}})
	a.After = host.Plan{{From: "/network/forward", Op: host.DropRules{Link: a.Network.Bridge.Name, Subnets: a.subnets()}}}
	return errors.Join(a.Plan.Check(), a.After.Check())
}

// take is what makes one operation hold; nil if there is nothing to do.
func (a *adoption) take(op host.Op) host.Op {
	switch op := op.(type) {
	case host.AddBridge:
		return host.SetOwner{Link: op.Link, MAC: op.MAC, Owner: op.Owner, Was: a.facts.Link(op.Link).Owner}
	case host.Serve:
		was := host.LibvirtServer{Network: a.request.Name, Link: op.Server.Link}
		if s := a.facts.Libvirt.Server(a.request.Name); s != nil {
			was = *s
		}
		return host.TakeServer{Server: op.Server, Was: was}
	}
	if op.Holds(a.facts) {
		return nil
	}
	return mendOf(op, "", a.facts)
}

func (a *adoption) serves() bool {
	return slices.ContainsFunc(a.Built, func(s host.Step) bool { _, ok := s.Op.(host.Serve); return ok })
}

// subnets are those of the network, by which libvirt's translations are known.
func (a *adoption) subnets() (subnets []netip.Prefix) {
	for i := range a.Network.IPs {
		if prefix, ok := a.Network.IPs[i].Prefix(); ok {
			subnets = append(subnets, prefix.Masked())
		}
	}
	return subnets
}

// ownerPrefix begins the marks of our links.
const ownerPrefix = "virtnet:"
