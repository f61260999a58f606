// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// vlans is what a backend knows about bridges that keep VLANs apart.
type vlans struct {
	sync.Mutex
	known, can bool
}

// vlanFiltering is whether the kernel's bridges can keep VLANs apart. That is tried out in a network namespace that is
// thrown away. A user that may make none has no bridges either.
func (b *Backend) vlanFiltering() (bool, error) {
	b.vlans.Lock()
	defer b.vlans.Unlock()
	if b.vlans.known {
		return b.vlans.can, nil
	}
	enter, done, err := scratch()
	if err != nil {
		return false, rtnl.Translate(err)
	}
	defer done()
	rt, err := rtnl.Open(enter)
	if err != nil {
		return false, err
	}
	defer func() { _ = rt.Close() }()
	const name = "trial"
	err = rt.AddBridge(rtnl.NewLink{Name: name, MAC: shapeMAC(name)}, rtnl.BridgeOptions{VLANFiltering: true})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return false, err
	}
	b.vlans.known, b.vlans.can = true, err == nil
	return b.vlans.can, nil
}

// canFilterVLANs refuses what needs bridges that keep VLANs apart.
func (b *Backend) canFilterVLANs(needed bool) error {
	if !needed {
		return nil
	}
	can, err := b.vlanFiltering()
	if err == nil && !can {
		err = fmt.Errorf("the kernel's bridges cannot keep VLANs apart: %w", errors.ErrUnsupported)
	}
	return err
}

func (b *Backend) filterVLANs(o host.FilterVLANs) error {
	l, err := b.rt.Link(o.Link)
	if err != nil {
		return err
	}
	if kindOf(l) != host.Bridge {
		return fmt.Errorf("bridge %s: %w", o.Link, fs.ErrNotExist)
	}
	if err := b.canFilterVLANs(true); err != nil {
		return fmt.Errorf("bridge %s: %w", o.Link, err)
	}
	if err := b.rt.SetVLANFiltering(l.Index, true); err != nil {
		return fmt.Errorf("bridge %s: %w", o.Link, err)
	}
	return nil
}

// setVLANs puts a port into exactly these VLANs, and first into those it is not in yet.
func (b *Backend) setVLANs(port int, v host.VLANs) error {
	is, err := b.rt.PortVLANs(port)
	if err != nil {
		return err
	}
	want, err := membership(v)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(v rtnl.VLAN) bool { return slices.Contains(is[port], v) })
	surplus := slices.DeleteFunc(slices.Clone(is[port]), func(v rtnl.VLAN) bool {
		return slices.ContainsFunc(want, func(w rtnl.VLAN) bool { return w.ID == v.ID })
	})
	if err := b.rt.AddVLANs(port, missing...); err != nil {
		return err
	}
	return b.rt.DelVLANs(port, surplus...)
}

// membership is what VLANs are for the kernel.
func membership(v host.VLANs) ([]rtnl.VLAN, error) {
	if v.IsZero() {
		return []rtnl.VLAN{{ID: 1, Native: true, Untagged: true}}, nil
	}
	tags, err := v.Tags()
	if err != nil {
		return nil, err
	}
	var all []rtnl.VLAN
	if v.Native != 0 {
		all = append(all, rtnl.VLAN{ID: v.Native, Native: true, Untagged: !v.NativeTagged})
	}
	for _, tag := range tags {
		all = append(all, rtnl.VLAN{ID: tag})
	}
	return all, nil
}

// readVLANs is what the kernel's VLANs of a port are. What no operation makes, such as several whose tags are taken off,
// is told in Tagged.
func readVLANs(all []rtnl.VLAN) host.VLANs {
	var native uint16
	var nativeTagged bool
	var tags []uint16
	odd := ""
	for _, v := range all {
		switch {
		case v.Native:
			native, nativeTagged = v.ID, !v.Untagged
		case v.Untagged:
			odd += fmt.Sprintf("%d untagged ", v.ID)
		default:
			tags = append(tags, v.ID)
		}
	}
	read := host.NewVLANs(native, nativeTagged, tags...)
	read.Tagged = odd + read.Tagged
	return read
}

// setStation says which station is behind a port, in all VLANs of the port. A bridge may have learned that it is behind
// another one; nobody may have said so.
func (b *Backend) setStation(port rtnl.Link, mac host.MAC) error {
	err := b.rt.AddStation(port.Index, mac, false)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	found, err := b.rt.Stations(0)
	if err != nil {
		return err
	}
	for _, s := range found {
		if s.MAC == mac && s.Static && s.Port != port.Index && s.Bridge == port.Master {
			return fmt.Errorf("station %s is behind another port: %w", mac, fs.ErrExist)
		}
	}
	return b.rt.AddStation(port.Index, mac, true)
}

// become makes a port what a plug says, where it is what another says.
func (b *Backend) become(port rtnl.Link, was, o host.Plug) error {
	if !was.Station.IsZero() && (was.Station != o.Station || was.VLANs != o.VLANs) {
		// In the VLANs that it is in now.
		if err := b.rt.DelStation(port.Index, was.Station); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	options := rtnl.PortOptions{Isolated: o.Isolated, NoLearning: o.NoLearning, NoFlood: o.NoFlood}
	if options != port.Port {
		if err := b.rt.SetPort(port.Index, options); err != nil {
			return err
		}
	}
	if was.VLANs != o.VLANs {
		if err := b.setVLANs(port.Index, o.VLANs); err != nil {
			return err
		}
	}
	if o.Station.IsZero() {
		return nil
	}
	return b.setStation(port, o.Station)
}

// portFacts adds what is known of bridge ports besides their links.
func (b *Backend) portFacts(scope host.Scope, links []rtnl.Link, f *host.Facts) (err error) {
	if scope.VLANs {
		if f.VLANFiltering, err = b.vlanFiltering(); err != nil {
			return fmt.Errorf("what the kernel can do about VLANs: %w", err)
		}
	}
	names := map[int]string{}
	for _, l := range links {
		if l.MasterKind == string(host.Bridge) {
			names[l.Index] = l.Name
		}
	}
	if len(names) == 0 {
		return nil
	}
	vlans, err := b.portVLANs(names)
	if err != nil {
		return err
	}
	for i, l := range f.Links {
		if all, ok := vlans[l.Name]; ok {
			f.Links[i].VLANs = readVLANs(all)
		}
	}
	quiet := slices.ContainsFunc(links, func(l rtnl.Link) bool { return l.Port.NoLearning })
	if !quiet {
		return nil
	}
	return b.stationFacts(links, f)
}

// portVLANs reads the VLANs of ports, one by one if they are few.
func (b *Backend) portVLANs(names map[int]string) (map[string][]rtnl.VLAN, error) {
	const few = 8
	indexes := []int{0}
	if len(names) <= few {
		indexes = indexes[:0]
		for index := range names {
			indexes = append(indexes, index)
		}
	}
	all := map[string][]rtnl.VLAN{}
	for _, index := range indexes {
		found, err := b.rt.PortVLANs(index)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, nil // a kernel without any
		}
		for index, name := range names {
			if len(found[index]) > 0 {
				all[name] = found[index]
			}
		}
	}
	return all, nil
}

// stationFacts finds the stations behind ports that learn nothing.
func (b *Backend) stationFacts(links []rtnl.Link, f *host.Facts) error {
	for _, l := range links {
		if !l.Port.NoLearning {
			continue
		}
		found, err := b.rt.Stations(l.Index)
		if err != nil {
			return err
		}
		for _, s := range found {
			station := host.Station{Link: l.Name, MAC: s.MAC}
			if s.Static && !slices.Contains(f.Stations, station) {
				f.Stations = append(f.Stations, station)
			}
		}
	}
	return nil
}
