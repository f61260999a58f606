// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// planRegister has the resolver of the host ask the network's server for the names of its domain, if the document wants that
// and there is such a server, by its first address. It is only tried, see [Manager.try]; libvirt starts no network without it.
func planRegister(rules schema.Rules, n *Network, f *host.Facts) (host.Plan, error) {
	if !n.registers() {
		return nil, nil
	}
	if rules.Skips(RegisterTried) && !f.Resolver.Running {
		return nil, fail(errors.ErrUnsupported, "%s: the host has no resolver that could be told: systemd-resolved does not run", registerPath)
	}
	gateway, _ := n.IPs[0].Prefix()
	op := host.Register{Link: n.Bridge.Name, Domain: n.Domain.Name.String(), Server: gateway.Addr()}
	return host.Plan{{From: registerPath, Op: op}}, nil
}

const registerPath = "/network/domain/@register"

// registers reports whether the resolver of the host is to be told of a network.
func (n *Network) registers() bool {
	return n.Domain != nil && n.Domain.Register == schema.Yes && n.Domain.Name.String() != "" && n.DNS.Enabled() && len(n.IPs) > 0
}

// unregistered is why there is nothing that the resolver of the host could be told of a network whose document wants that;
// empty if there is, or it does not want it.
func (n *Network) unregistered() string {
	switch {
	case n.Domain == nil || n.Domain.Register != schema.Yes || n.registers():
		return ""
	case !n.DNS.Enabled():
		return "there is nobody to ask for the names: /network/dns/@enable is no"
	case len(n.IPs) == 0:
		return "there is nobody to ask for the names: the network has no <ip>"
	}
	return "the domain has no name"
}

// leaveOut tells what the document of a network that runs asks for although it leaves nothing of it.
func (m *Manager) leaveOut(n *Network) {
	if why := n.unregistered(); why != "" {
		m.emit(Event{Kind: EventLeftOut, Network: n.Name, Why: registerPath + ": " + why})
	}
}

// split divides a plan into what has to be done and what is only tried.
func (m *Manager) split(p host.Plan) (needed, tried host.Plan) {
	for _, step := range p {
		switch step.Op.(type) {
		case host.Register, host.Unregister:
			if !m.config.Rules.Skips(RegisterTried) {
				tried = append(tried, step)
				continue
			}
		}
		needed = append(needed, step)
	}
	return needed, tried
}

// try does what a network that runs is whole without, and tells what could not be done. Check finds it then.
func (m *Manager) try(ctx context.Context, name string, p host.Plan) {
	for _, step := range p {
		if err := m.backend.Do(ctx, step.Op); err != nil {
			why := &host.StepError{Step: step, Err: err}
			m.emit(Event{Kind: EventLeftOut, Network: name, Plan: host.Plan{step}, Why: why.Error()})
		}
	}
}
