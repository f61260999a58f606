// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// deviceTemplate names the devices of guests that ask for no name.
const deviceTemplate = "vnet%d"

// request turns a complete interface into what is asked of the manager of networks.
func request(g Guest, i *Interface) (network.PortRequest, error) {
	var none network.PortRequest
	if g.Name == "" {
		return none, fmt.Errorf("guest without a name: %w", fs.ErrInvalid)
	}
	if err := supported(i); err != nil {
		return none, err
	}
	req := network.PortRequest{
		Port: &network.Port{
			Owner:     &network.Owner{Name: g.Name, UUID: g.UUID},
			MAC:       &network.MAC{Address: i.MAC.Address},
			Port:      i.Port.Clone(),
			Bandwidth: i.Bandwidth.Clone(),
		},
		Link:  deviceTemplate,
		Scope: host.Scope{Sysctls: []string{ipv6Default}},
		Plan: func(p *network.Port, link string, f *host.Facts) (host.Plan, error) {
			return planDevice(g, i, p, link, f)
		},
	}
	if i.Target != nil && i.Target.Dev.String() != "" {
		req.Link = i.Target.Dev.String()
	}
	switch i.Kind() {
	case Network:
		req.Network = i.Source.Network.String()
	case Bridge:
		req.Port.Plug = &network.Plug{Type: network.PlugBridge, Bridge: i.Source.Bridge}
	}
	return req, nil
}

// supported refuses an interface with settings that would change what is done on the host and that are not done, rather
// than to attach it without them.
func supported(i *Interface) error {
	if kind := i.Kind(); kind != Network && kind != Bridge {
		return unsupported("/interface/@type", "interfaces of type "+kind.String())
	}
	for _, setting := range []struct {
		given bool
		path  string
	}{
		{i.Source.PortGroup.String() != "", "/interface/source/@portgroup"},
		{i.VLAN != nil, "/interface/vlan"},
		{i.VirtualPort != nil, "/interface/virtualport"},
		{i.FilterRef != nil, "/interface/filterref"},
		{i.Coalesce != nil, "/interface/coalesce"},
		{i.TrustGuestRxFilters == schema.Yes, "/interface/@trustGuestRxFilters"},
	} {
		if setting.given {
			return unsupported(setting.path, "this setting")
		}
	}
	return nil
}

func unsupported(path, what string) error {
	return fmt.Errorf("%s: %s cannot be attached: %w", path, what, errors.ErrUnsupported)
}
