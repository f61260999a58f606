// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"io/fs"

	"github.com/go-virtnet/virtnet/network/schema"
)

// portForward changes one of the port forwards, which libvirt knows nothing of.
func (e *edit) portForward() error {
	if e.rules.Compat {
		return e.refuse(errors.ErrUnsupported, "update-command", "", "libvirt has no port forwards")
	}
	var p PortForward
	if err := e.read(&p); err != nil {
		return err
	}
	if !p.Ports.Given() {
		return e.refuse(fs.ErrInvalid, "update-key", "", "a port has to say which forward is meant")
	}
	if e.n.PortForwards == nil {
		e.n.PortForwards = new(PortForwards)
	}
	list := &e.n.PortForwards.Forwards
	found := indexes(*list, func(o *PortForward) bool {
		return p.Proto == o.Proto && p.Address == o.Address && p.Ports == o.Ports && (!p.To.Given() || p.To.Is4() == o.To.Is4())
	})
	key := p.Proto.String() + " port " + p.Ports.String()
	if p.Address.Given() {
		key += " of " + p.Address.String()
	}
	err := apply(e, list, p, found, "/network/virtnet:forwards", key)
	if len(*list) == 0 && schema.IsBare(e.n.PortForwards.Extra) {
		e.n.PortForwards = nil
	}
	return err
}
