// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// plugPorts finds the taps of the guests on the bridge, and what stands for each of them.
func (a *adoption) plugPorts(schema.Rules) error {
	known, err := a.libvirtPorts()
	if err != nil {
		return err
	}
	for _, p := range slices.Concat(a.request.Ports, known) {
		if slices.ContainsFunc(a.Ports, func(has AdoptPort) bool { return has.Link == p.Link }) {
			continue // told by the caller
		}
		if err := a.plugPort(p); err != nil {
			return err
		}
	}
	for _, l := range a.plugged() {
		if !slices.ContainsFunc(a.Ports, func(p AdoptPort) bool { return p.Link == l.Name }) {
			a.Others = append(a.Others, l.Name)
		}
	}
	return nil
}

// plugged are the links that are plugged into the bridge.
func (a *adoption) plugged() (links []host.Link) {
	for _, l := range a.facts.Links {
		if l.Master == a.Network.Bridge.Name {
			links = append(links, l)
		}
	}
	return links
}

// libvirtPorts are the ports that libvirt has on the network and whose taps are there. It gives a tap the address of its guest
// with another first octet.
func (a *adoption) libvirtPorts() (ports []AdoptPort, err error) {
	for _, has := range a.theirs.Ports {
		p, err := ParsePort(strings.NewReader(has.Text))
		if err != nil {
			return nil, fmt.Errorf("libvirt's port %s: %w", has.ID, err)
		}
		if p.MAC == nil {
			continue
		}
		p.Source = schema.Source{}
		mac := host.MAC(p.MAC.Address)
		mac[0] = 0xfe
		for _, l := range a.plugged() {
			if l.MAC == mac && l.Kind == host.Tap {
				ports = append(ports, AdoptPort{Link: l.Name, Port: p})
			}
		}
	}
	return ports, nil
}

// plugPort makes the record of a port of a tap that is plugged in.
func (a *adoption) plugPort(port AdoptPort) error {
	l := a.facts.Link(port.Link)
	bridge := a.Network.Bridge.Name
	switch {
	case l == nil || l.Master != bridge || l.Kind != host.Tap:
		return fail(fs.ErrNotExist, "/networkport: the host has no tap %q that is plugged into %s", port.Link, bridge)
	case strings.HasPrefix(l.Owner, ownerPrefix):
		return fail(fs.ErrExist, "/networkport: tap %s is ours already: %s", l.Name, l.Owner)
	case port.Port == nil || port.Port.UUID.IsZero():
		return fail(fs.ErrInvalid, "/networkport/uuid: the port of %s has none", l.Name)
	case port.Port.floor() > 0:
		return fail(errors.ErrUnsupported, "/networkport/bandwidth/inbound/@floor: what libvirt guarantees on %s cannot be taken over", bridge)
	}
	p := port.Port.Clone()
	p.Plug = &Plug{Type: PlugNetwork, Bridge: schema.Text(bridge)}
	if err := p.Validate(); err != nil {
		return fmt.Errorf("port of %s: %w", l.Name, err)
	}
	text, err := p.Format()
	if err != nil {
		return err
	}
	const from = "/networkport"
	r := &portRecord{Link: l.Name, record: record{Name: a.Network.Name, Stage: running, Document: string(text)}}
	r.Plan = host.Plan{
		{From: from, Op: host.AddTap{Link: l.Name, MAC: l.MAC, Owner: ownerPrefix + p.UUID.String()}},
		{From: from, Op: host.Plug{Link: l.Name, Bridge: bridge, Isolated: l.Isolated, NoLearning: l.NoLearning, NoFlood: l.NoFlood}},
	}
	if l.Up {
		r.Plan = append(r.Plan, host.Step{From: from, Op: host.SetUp{Link: l.Name}})
	}
	a.taps = append(a.taps, r)
	a.Ports = append(a.Ports, AdoptPort{Link: l.Name, Port: p})
	return nil
}
