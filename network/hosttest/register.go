// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// StartResolver starts the resolver of the machine, or again if it runs: it knows of no links then.
func (m *Machine) StartResolver() {
	defer m.lock().Unlock()
	m.resolver = host.Resolver{Running: true}
}

// StopResolver ends the resolver of the machine.
func (m *Machine) StopResolver() {
	defer m.lock().Unlock()
	m.resolver = host.Resolver{}
}

func (m *Machine) resolverFacts(scope host.Scope, f *host.Facts) {
	if scope.Resolver {
		f.Resolver = host.Resolver{Running: m.resolver.Running, Links: slices.Clone(m.resolver.Links)}
	}
}

func (m *Machine) register(o host.Register) error {
	if !m.resolver.Running {
		return fmt.Errorf("the resolver does not run: %w", errors.ErrUnsupported)
	}
	if _, err := m.link(o.Link); err != nil {
		return err
	}
	m.unregister(o.Link)
	link := host.ResolverLink{Link: o.Link, Servers: []netip.Addr{o.Server}, Domains: []string{"~" + o.Domain}}
	m.resolver.Links = append(m.resolver.Links, link)
	return nil
}

// unregister forgets a link.
func (m *Machine) unregister(link string) {
	m.resolver.Links = slices.DeleteFunc(m.resolver.Links, func(l host.ResolverLink) bool { return l.Link == link })
}
