// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
)

// The drivers that pass functions through, of all that there are.
var passthroughDrivers = map[string]bool{"vfio-pci": true, "mlx5_vfio_pci": true}

func (m *Machine) setFunction(o host.SetFunction) error {
	if err := o.Refusal(m.facts(o.Scope())); err != nil {
		return err
	}
	fn := m.places[o.PCI]
	if fn.PF == "" {
		return fmt.Errorf("function %s: it is no virtual one: %w", o.PCI, errors.ErrUnsupported)
	}
	if !o.Restarts(m.facts(o.Scope())) {
		fn.VF = o.Next(fn.VF)
		return nil
	}
	if other := m.links[o.Restart.Link]; other != nil && other.Name != fn.Link {
		return exists("link %s", o.Restart.Link)
	}
	if err := m.unbind(fn); err != nil {
		return err
	}
	fn.VF = o.Next(fn.VF)
	fn.Override = o.Restart.Override
	m.bind(fn, o.Restart.Name)
	m.dress(fn, o.Restart)
	return nil
}

// dress gives the network device of a function what it is to have.
func (m *Machine) dress(fn *function, to host.Driver) {
	l := m.links[fn.Link]
	if l == nil || to.Link == "" {
		return
	}
	delete(m.links, l.Name)
	l.Name, l.MAC, l.Up = to.Link, to.MAC, to.Up
	if to.MTU != 0 {
		l.MTU = to.MTU
	}
	fn.Link, m.links[l.Name] = l.Name, l
}

func (m *Machine) setDriver(o host.SetDriver) error {
	f := m.facts(o.Scope())
	if err := o.Refusal(f); err != nil {
		return err
	}
	fn := m.places[o.PCI]
	if name := o.Driver.Name; name != "" && name != fn.driver && !passthroughDrivers[name] {
		return fmt.Errorf("driver %s: %w", name, errors.ErrUnsupported)
	}
	if other := m.links[o.Driver.Link]; other != nil && other.Name != fn.Link {
		return exists("link %s", o.Driver.Link)
	}
	fn.Override = o.Driver.Override
	if fn.Driver != o.Driver.Name {
		if err := m.unbind(fn); err != nil {
			return err
		}
		m.bind(fn, o.Driver.Name)
	}
	m.dress(fn, o.Driver)
	return nil
}
