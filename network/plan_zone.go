// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// The zones that libvirt brings to firewalld, for networks that name none, and what the second is worth nothing without.
const (
	libvirtZone       = "libvirt"
	libvirtRouted     = "libvirt-routed"
	libvirtRoutedRule = "libvirt-routed-out"
)

// planZone puts the bridge into the zone of firewalld that the document names. If it names none, that is one of libvirt's
// where firewalld has them, also if it runs only later; a network in mode open is left out.
func planZone(rules schema.Rules, n *Network, f *host.Facts) (host.Plan, error) {
	zones := f.Zones
	step := func(from, zone string, optional bool) host.Plan {
		op := host.SetZone{Link: n.Bridge.Name, Zone: zone, Was: zones.Of(n.Bridge.Name), Optional: optional}
		return host.Plan{{From: from, Op: op}}
	}
	if zone := n.Bridge.Zone; zone != "" {
		const from = "/network/bridge/@zone"
		if !zones.Running {
			return nil, fail(errors.ErrUnsupported, "%s: zone %s is one of firewalld, which does not run", from, zone)
		}
		if !zones.Has(zone) {
			return nil, fail(fs.ErrNotExist, "%s: firewalld has no zone %s, but %s", from, zone, strings.Join(zones.Names, ", "))
		}
		return step(from, zone, false), nil
	}
	if n.Mode() == ForwardOpen || !zones.Possible {
		return nil, nil
	}
	const from = "/network/bridge"
	zone := libvirtZone
	if n.Mode() == ForwardRoute && zones.Has(libvirtRouted) && slices.Contains(zones.Policies, libvirtRoutedRule) {
		zone = libvirtRouted
	}
	if !zones.Running || zones.Has(zone) {
		return step(from, zone, true), nil
	}
	if schema.NewCheck("", rules).Skips(NoZone) {
		return nil, fail(fs.ErrNotExist, "%s: firewalld has no zone %s", from, zone)
	}
	return nil, nil
}
