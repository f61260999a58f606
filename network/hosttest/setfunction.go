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
	fn.VF = o.Next(fn.VF)
	return nil
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
	if l := m.links[fn.Link]; l != nil && o.Driver.Link != "" {
		delete(m.links, l.Name)
		l.Name, l.MAC, l.Up = o.Driver.Link, o.Driver.MAC, o.Driver.Up
		if o.Driver.MTU != 0 {
			l.MTU = o.Driver.MTU
		}
		fn.Link, m.links[l.Name] = l.Name, l
	}
	return nil
}
