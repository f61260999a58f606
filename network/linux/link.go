// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

func (b *Backend) setLink(name string, change rtnl.Change) error {
	if err := taken(b.rt.SetLink(name, change)); err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	return nil
}

// taken gives the kernel's words for what others have already the sentinel that they stand for here.
func taken(err error) error {
	if errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w: %w", fs.ErrExist, err)
	}
	return err
}

// finish gives a link that was just made what the kernel does not take in the message that makes it. If that fails the
// link is removed again.
func (b *Backend) finish(name string, kind host.Kind, mac host.MAC, change rtnl.Change) error {
	if change == (rtnl.Change{}) {
		return nil
	}
	if err := b.setLink(name, change); err != nil {
		return errors.Join(err, b.delLink(name, kind, mac))
	}
	return nil
}

// setSilent is setLink for a device through which only a guest is to speak: the kernel makes up no IPv6 address for it, and
// says nothing there.
func (b *Backend) setSilent(name string, change rtnl.Change) error {
	silent := change
	silent.SilentIPv6 = true
	err := b.setLink(name, silent)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if change == (rtnl.Change{}) { // it has no IPv6
		return nil
	}
	return b.setLink(name, change)
}

// delLink removes a link that an operation with this name, kind and hardware address made. Any other counts as missing.
func (b *Backend) delLink(name string, kind host.Kind, mac host.MAC) error {
	l, err := b.ownLink(name, kind, mac)
	if err != nil {
		return err
	}
	return b.delFoundLink(l)
}

// ownLink finds a link that an operation with this name, kind and hardware address made, for whoever takes it away.
func (b *Backend) ownLink(name string, kind host.Kind, mac host.MAC) (rtnl.Link, error) {
	l, err := b.rt.Link(name)
	if errors.Is(err, fs.ErrNotExist) {
		// It may have gone by itself, and left behind what shaped its traffic.
		return l, errors.Join(err, b.dropShape(name))
	}
	if err == nil && (kindOf(l) != kind || host.MAC(l.MAC) != mac) {
		err = fmt.Errorf("%s %s with hardware address %s: %w", kind, name, mac, fs.ErrNotExist)
	}
	return l, err
}

// delFoundLink removes a link that was just seen, and what shaped its traffic.
func (b *Backend) delFoundLink(l rtnl.Link) error {
	if err := b.rt.DelLink(l.Index); err != nil {
		return fmt.Errorf("%s %s: %w", kindOf(l), l.Name, err)
	}
	return b.dropShape(l.Name)
}

// linkFacts looks for the links that a scope names, and for their addresses. Only a scope of everything reads the list of
// all.
func (b *Backend) linkFacts(scope host.Scope, f *host.Facts) error {
	links, err := b.links(scope)
	if err != nil {
		return err
	}
	names, err := b.names(scope, links)
	if err != nil {
		return err
	}
	for _, l := range links {
		if !isShapeDevice(l) { // which is part of a shape
			fact := linkFact(l, names)
			fact.PCI, _ = b.placeOfLink(l)
			f.Links = append(f.Links, fact)
		}
	}
	if err := b.portFacts(scope, links, f); err != nil {
		return err
	}
	if err := b.addrFacts(scope, links, names, f); err != nil {
		return err
	}
	return b.routeFacts(scope, names, f)
}

func (b *Backend) links(scope host.Scope) ([]rtnl.Link, error) {
	if scope.All {
		return b.rt.Links()
	}
	var names []string
	seen := map[string]bool{}
	for _, name := range slices.Concat(scope.Links, scope.Bare) {
		if !seen[name] && host.CheckName(name) == nil {
			names = append(names, name)
		}
		seen[name] = true
	}
	return b.rt.LinksNamed(names...)
}

// names finds the names of the links, and of the devices they are a part of or stand on.
func (b *Backend) names(scope host.Scope, links []rtnl.Link) (map[int]string, error) {
	names := map[int]string{}
	var others []int
	for _, l := range links {
		names[l.Index] = l.Name
		if l.Master != 0 {
			others = append(others, l.Master)
		}
		if l.Lower != 0 {
			others = append(others, l.Lower)
		}
	}
	if scope.All {
		return names, nil
	}
	return b.moreNames(names, others)
}

// moreNames adds the names of links by their indexes.
func (b *Backend) moreNames(names map[int]string, indexes []int) (map[int]string, error) {
	var unknown []int
	for _, index := range indexes {
		if names[index] == "" {
			unknown = append(unknown, index)
		}
	}
	if len(unknown) == 0 {
		return names, nil
	}
	more, err := b.rt.LinkNames(unknown...)
	for index, name := range more {
		names[index] = name
	}
	return names, err
}

func linkFact(l rtnl.Link, names map[int]string) host.Link {
	fact := host.Link{
		Name: l.Name, Kind: kindOf(l), MAC: l.MAC, MTU: l.MTU, Up: l.Up, Owner: l.Alias,
		Lower: names[l.Lower], VLAN: l.VLAN, Mode: l.Mode,
		STP: l.Bridge.STP, ForwardDelay: l.Bridge.ForwardDelay, VLANFiltering: l.Bridge.VLANFiltering,
		Isolated: l.Port.Isolated, NoLearning: l.Port.NoLearning, NoFlood: l.Port.NoFlood, Hairpin: l.Hairpin,
	}
	switch l.MasterKind {
	case string(host.Bridge):
		fact.Master = names[l.Master]
	default:
		fact.Member = names[l.Master]
	}
	return fact
}

// kindOf is the kind of a link, where the kernel has one word for tap and tun.
func kindOf(l rtnl.Link) host.Kind {
	if l.Kind == "tun" && l.Ethernet {
		return host.Tap
	}
	return host.Kind(l.Kind)
}
