// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// deviceTemplate names the devices of guests that ask for no name.
const deviceTemplate = "vnet%d"

// macvtapTemplate is the same for guests that are attached to a device of the host.
const macvtapTemplate = "macvtap%d"

// request turns a complete interface into what is asked of the manager of networks.
func request(g Guest, i *Interface, rules schema.Rules, vepa network.VEPAPolicy) (network.PortRequest, error) {
	var none network.PortRequest
	if g.Name == "" {
		return none, fmt.Errorf("guest without a name: %w", fs.ErrInvalid)
	}
	if err := supported(i); err != nil {
		return none, err
	}
	kept, err := origin{g, i}.MarshalText()
	if err != nil {
		return none, err
	}
	req := network.PortRequest{
		Port: i.Request(), Asks: Places(), Origin: kept,
		Check: func(r *network.Resolution) error { return i.ValidatePort(r, Hypervisor{}, rules) },
		Link:  deviceTemplate, DirectLink: macvtapTemplate, DirectAway: g.Namespace != "",
		Opens: g.Opens, Scope: host.Scope{Sysctls: []string{ipv6Default}},
		Plan: func(p *network.Port, link string, f *host.Facts) (host.Plan, error) {
			switch {
			case p.Plug != nil && p.Plug.Type == network.PlugHostdevPCI:
				return planFunction(g, i, p, f)
			case p.Plug != nil && p.Plug.Type == network.PlugDirect:
				if err := checkDirect(g, i, p, f, rules); err != nil {
					return nil, err
				}
				return planDirect(g, i, p, link, f, vepa)
			}
			return planDevice(g, i, p, link, f)
		},
	}
	req.Port.Owner = &network.Owner{Name: g.Name, UUID: g.UUID}
	if i.Target != nil && i.Target.Dev.String() != "" {
		req.Link, req.DirectLink = i.Target.Dev.String(), ""
	}
	if i.Kind() == Network {
		req.Network = i.Source.Network.String()
	}
	return req, nil
}

// supported refuses an interface with settings that would change what is done on the host and that are not done, rather
// than to attach it without them.
func supported(i *Interface) error {
	switch kind := i.Kind(); {
	case kind == Hostdev && i.Request().Plug == nil:
		return unsupported("/interface/source/address", "a device that is not on the PCI bus")
	case kind != Network && kind != Bridge && kind != Direct && kind != Hostdev:
		return unsupported("/interface/@type", "interfaces of type "+kind.String())
	}
	if i.FilterRef != nil {
		return unsupported("/interface/filterref", "this setting")
	}
	if i.Coalesce != nil {
		return unsupported("/interface/coalesce", "this setting")
	}
	return nil
}

// supportedPort is supported for what the network and its port group add.
func supportedPort(p *network.Port) error {
	switch {
	case p.Plug == nil || p.Plug.Type != network.PlugNetwork && p.Plug.Type != network.PlugBridge:
		return unsupported("/interface/source", "what is no bridge")
	case p.VirtualPort != nil && p.VirtualPort.Type != virtualport.OpenVSwitch:
		return unsupported("/interface/virtualport", "a profile")
	case p.VLAN != nil && p.Plug.Type == network.PlugNetwork:
		return unsupported("/interface/vlan", "a guest in a VLAN of a network's own bridge")
	}
	return nil
}

func unsupported(path, what string) error {
	return fmt.Errorf("%s: %s cannot be attached: %w", path, what, errors.ErrUnsupported)
}
