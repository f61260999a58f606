// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/internal/ovs"
	"github.com/go-virtnet/virtnet/network/host"
)

// ovsdb is the database of Open vSwitch.
func (b *Backend) ovsdb() ovs.Client {
	path := b.config.OVSDB
	if path == "" && b.config.Namespace == "" {
		path = DefaultOVSDB
	}
	return ovs.Client{Path: path}
}

// ovsFacts are those that Open vSwitch knows. A machine without it has none.
func (b *Backend) ovsFacts(ctx context.Context, scope host.Scope, f *host.Facts) (err error) {
	if scope.OVS {
		f.OVS.Bridges, err = b.ovsdb().Bridges(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			f.OVS.Missing, err = strings.TrimSuffix(err.Error(), ": "+errors.ErrUnsupported.Error()), nil
		}
		if err != nil {
			return err
		}
	}
	if scope.All {
		f.OVSPorts, err = b.ovsdb().AllPorts(ctx)
	} else {
		f.OVSPorts, err = b.ovsdb().Ports(ctx, slices.Compact(slices.Sorted(slices.Values(scope.OVSPorts)))...)
	}
	if errors.Is(err, errors.ErrUnsupported) || err != nil && len(scope.OVSPorts) == 0 && ctx.Err() == nil {
		return nil // who names no port can do without a switch that does not answer
	}
	// What Open vSwitch limits a port with is part of the port.
	f.Shapes = slices.DeleteFunc(f.Shapes, func(s host.Shape) bool { return f.OVSPort(s.Link) != nil && s.Other != "" })
	f.Classes = slices.DeleteFunc(f.Classes, func(c host.Class) bool { return f.OVSPort(c.Link) != nil })
	return err
}

// addOVSPort looks for the link before the switch does, which would say of it only that it has an error.
func (b *Backend) addOVSPort(ctx context.Context, p host.OVSPort) error {
	link, err := b.rt.Link(p.Link)
	if err != nil {
		return fmt.Errorf("link %s: %w", p.Link, err)
	}
	if link.Master != 0 && link.MasterKind != ovsKind {
		return fmt.Errorf("link %s belongs to another device already: %w", p.Link, fs.ErrExist)
	}
	return b.ovsdb().AddPort(ctx, p)
}

// ovsKind is the kernel's word for what it forwards for Open vSwitch.
const ovsKind = "openvswitch"
