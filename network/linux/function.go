// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// functionFacts looks for the network cards on the PCI bus and the macvtap devices that a scope asks for, and returns the
// scope together with their links.
func (b *Backend) functionFacts(scope host.Scope, f *host.Facts) (host.Scope, error) {
	var links []string
	if len(scope.Functions)+len(scope.PCI)+len(scope.VFs) > 0 {
		found, err := b.functions(scope)
		if err != nil {
			return scope, err
		}
		if links, err = b.vfFacts(scope, found); err != nil {
			return scope, err
		}
		f.Functions = found
		for _, fn := range found {
			if fn.Link != "" {
				links = append(links, fn.Link)
			}
		}
	}
	if scope.Macvtaps {
		for _, kind := range []host.Kind{host.Macvtap, host.Macvlan} {
			found, err := b.rt.LinksOfKind(string(kind))
			if err != nil {
				return scope, err
			}
			for _, l := range found {
				links = append(links, l.Name)
			}
		}
	}
	return scope.And(host.Scope{Links: links}), nil
}

// functions looks for the functions that a scope names.
func (b *Backend) functions(scope host.Scope) ([]host.Function, error) {
	names, err := b.cardNames()
	if err != nil {
		return nil, err
	}
	s := sysfs{root: b.sys, names: names}
	seen := map[host.PCI]bool{}
	var found []host.Function
	for _, pf := range scope.Functions {
		place, ok, err := b.placeOf(pf)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		functions, err := s.virtual(place)
		if err != nil {
			return nil, err
		}
		for index, place := range functions {
			if !seen[place] {
				seen[place] = true
				found = append(found, s.function(place, pf, index))
			}
		}
	}
	for _, place := range slices.Concat(scope.PCI, scope.VFs) {
		if seen[place] || !s.has(place) {
			continue
		}
		seen[place] = true
		pf, index, err := s.parent(place)
		if err != nil {
			return nil, err
		}
		found = append(found, s.function(place, pf, index))
	}
	return found, nil
}

// cardNames finds the network devices of cards by their places on the PCI bus, where sysfs would tell of another
// namespace: it shows the devices of the namespace in which it was mounted. Otherwise it is nil.
func (b *Backend) cardNames() (map[host.PCI]string, error) {
	if b.ns == nil {
		return nil, nil
	}
	links, err := b.rt.Links()
	if err != nil {
		return nil, err
	}
	names := map[host.PCI]string{}
	for _, l := range links {
		if place, ok := b.placeOfLink(l); ok {
			names[place] = l.Name
		}
	}
	return names, nil
}

// placeOfLink finds the place of a card by what the kernel says of its link. A card of virtio is on a bus of its own,
// whose devices are inside those of the PCI bus.
func (b *Backend) placeOfLink(l rtnl.Link) (host.PCI, bool) {
	name := l.Parent
	switch l.Bus {
	case "pci":
	case "virtio":
		target, err := os.Readlink(filepath.Join(b.sys, "bus/virtio/devices", l.Parent))
		if err != nil {
			return host.PCI{}, false
		}
		name = filepath.Base(filepath.Dir(target))
	default:
		return host.PCI{}, false
	}
	place, err := host.ParsePCI(name)
	return place, err == nil
}

// placeOf finds a card by the name of its network device.
func (b *Backend) placeOf(name string) (place host.PCI, ok bool, err error) {
	if host.CheckName(name) != nil {
		return host.PCI{}, false, nil
	}
	links, err := b.rt.LinksNamed(name)
	if err != nil {
		return host.PCI{}, false, err
	}
	for _, l := range links {
		if place, ok := b.placeOfLink(l); ok {
			return place, true, nil
		}
	}
	if b.ns != nil {
		return host.PCI{}, false, nil
	}
	return readPlace(filepath.Join(b.sys, "class/net", name, "device")) // kernels before 5.14 do not tell of the parent
}

// A sysfs is the folder in which the kernel tells of devices.
type sysfs struct {
	root string
	// names are the network devices by place; nil if sysfs is to tell.
	names map[host.PCI]string
}

func (s sysfs) dir(place host.PCI) string {
	return filepath.Join(s.root, "bus/pci/devices", place.String())
}

func (s sysfs) has(place host.PCI) bool {
	_, err := os.Stat(s.dir(place))
	return err == nil
}

// virtual finds the virtual functions of a card by their numbers.
func (s sysfs) virtual(place host.PCI) (map[int]host.PCI, error) {
	entries, err := os.ReadDir(s.dir(place))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, rtnl.Translate(err)
	}
	found := map[int]host.PCI{}
	for _, entry := range entries {
		digits, ok := strings.CutPrefix(entry.Name(), "virtfn")
		index, err := strconv.Atoi(digits)
		if !ok || err != nil {
			continue
		}
		place, ok, err := readPlace(filepath.Join(s.dir(place), entry.Name()))
		if err != nil {
			return nil, err
		}
		if ok {
			found[index] = place
		}
	}
	return found, nil
}

// parent finds the card whose virtual function is at a place, by the name of its network device, and the number of the
// function. The name is empty for a whole card, and for the function of a card without a network device.
func (s sysfs) parent(place host.PCI) (pf string, index int, err error) {
	card, ok, err := readPlace(filepath.Join(s.dir(place), "physfn"))
	if err != nil || !ok {
		return "", 0, err
	}
	functions, err := s.virtual(card)
	if err != nil {
		return "", 0, err
	}
	for i, function := range functions {
		if function == place {
			return s.link(card), i, nil
		}
	}
	return "", 0, nil // it has just gone
}

// function tells of the card at a place.
func (s sysfs) function(place host.PCI, pf string, index int) host.Function {
	dir := s.dir(place)
	fn := host.Function{
		PCI: place, PF: pf, Index: index, Link: s.link(place),
		Driver: baseOfLink(filepath.Join(dir, "driver")), Group: baseOfLink(filepath.Join(dir, "iommu_group")),
	}
	var folder unix.Stat_t
	if unix.Stat(dir, &folder) == nil {
		fn.Generation = folder.Ino // the kernel numbers the folders that it makes
	}
	if override, err := os.ReadFile(filepath.Join(dir, "driver_override")); err == nil && string(override) != noOverride {
		fn.Override = strings.TrimSpace(string(override))
	}
	if nodes, err := os.ReadDir(filepath.Join(dir, "vfio-dev")); err == nil && len(nodes) > 0 {
		fn.Node = nodes[0].Name()
	}
	if fn.Group != "" {
		fn.Siblings = s.siblings(place)
	}
	return fn
}

// noOverride is what the kernel says where no driver was chosen.
const noOverride = "(null)\n"

// siblings finds the other devices of a card's IOMMU group.
func (s sysfs) siblings(place host.PCI) []host.Sibling {
	entries, err := os.ReadDir(filepath.Join(s.dir(place), "iommu_group/devices"))
	if err != nil {
		return nil
	}
	var found []host.Sibling
	for _, entry := range entries {
		if other, err := host.ParsePCI(entry.Name()); err == nil && other != place {
			found = append(found, host.Sibling{PCI: other, Driver: baseOfLink(filepath.Join(s.dir(other), "driver"))})
		}
	}
	return found
}

// baseOfLink is the last part of where a symbolic link leads; empty if there is none.
func baseOfLink(path string) string {
	target, err := os.Readlink(path)
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

// link finds the network device of a card. A card of virtio has it one level deeper. Of several it is the first by name.
func (s sysfs) link(place host.PCI) string {
	if s.names != nil && s.names[place] != "" {
		return s.names[place]
	}
	var names []string
	for _, pattern := range []string{"net/*", "virtio*/net/*"} {
		found, _ := filepath.Glob(filepath.Join(s.dir(place), pattern))
		for _, path := range found {
			names = append(names, filepath.Base(path))
		}
	}
	if len(names) == 0 || s.names != nil {
		return ""
	}
	return slices.Min(names)
}

// readPlace reads a symbolic link to a device. None is no error.
func readPlace(path string) (place host.PCI, ok bool, err error) {
	target, err := os.Readlink(path)
	if errors.Is(err, fs.ErrNotExist) {
		return host.PCI{}, false, nil
	}
	if err != nil {
		return host.PCI{}, false, rtnl.Translate(err)
	}
	place, err = host.ParsePCI(filepath.Base(target))
	return place, err == nil, nil // a device on another bus
}
