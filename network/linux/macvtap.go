// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// addMacvtap makes a device that is like its guest from the first message on, but in mode passthru: there the address is set
// through the device afterwards, because then the kernel itself gives the device below its own back when this one goes,
// whatever becomes of this process.
func (b *Backend) addMacvtap(o host.AddMacvtap, n birth) error {
	lower, err := b.below(host.Macvtap, o.Link, o.Lower, o.Mode)
	if err != nil {
		return err
	}
	err = b.rt.AddMacvtap(rtnl.NewLink{Name: o.Link, MAC: o.MAC, MTU: o.MTU}, rtnl.Stacked{Lower: lower.Index, Mode: o.Mode})
	if err != nil {
		return fmt.Errorf("macvtap %s on %s: %w", o.Link, o.Lower, b.refusal(o.Mode, o.MTU, o.Lower, err))
	}
	if err := b.finishMacvtap(o, lower, n); err != nil {
		return errors.Join(err, b.delMacvtap(host.DelMacvtap(o)))
	}
	return nil
}

// below finds the link that a macvtap or macvlan device is to stand on: its index, and the rest of it only for mode passthru,
// in which it lends its address.
func (b *Backend) below(kind host.Kind, link, name, mode string) (lower rtnl.Link, err error) {
	var its host.Kind
	if mode == host.Passthru {
		lower, err = b.rt.Link(name)
		its = kindOf(lower)
	} else {
		lower.Index, its, err = b.kind(name)
	}
	if err == nil && (its == host.Macvtap || its == host.Macvlan) {
		err = fmt.Errorf("%s %s: %s is of kind %s itself: %w", kind, link, name, its, fs.ErrInvalid)
	}
	return lower, err
}

// finishMacvtap gives a device what the kernel does not take in the message that makes it.
func (b *Backend) finishMacvtap(o host.AddMacvtap, lower rtnl.Link, n birth) error {
	change := rtnl.Change{Alias: o.Owner}
	if o.Mode == host.Passthru && o.MAC != host.MAC(lower.MAC) {
		change.MAC = o.MAC
	}
	return keepsAddress(o.Lower, b.raise(o.Link, change, n))
}

// keepsAddress tells why the kernel does not give a link another address.
func keepsAddress(link string, err error) error {
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("%s keeps its address, which its card has given it (ip link set PF vf N mac): %w: %w", link, fs.ErrPermission, err)
	}
	return err
}

// refusal tells why the kernel did not want to make a macvtap or macvlan device of that mode and size on a link. It has one
// word for many reasons.
func (b *Backend) refusal(mode string, mtu int, link string, err error) error {
	lower, lookErr := b.rt.Link(link)
	switch {
	case lookErr != nil:
		return errors.Join(err, lookErr)
	case errors.Is(err, unix.EBUSY):
		if lower.Master != 0 {
			names, nameErr := b.rt.LinkNames(lower.Master)
			if nameErr == nil && names[lower.Master] != "" {
				return fmt.Errorf("%s is a port of %s: %w", lower.Name, names[lower.Master], taken(err))
			}
		}
		return taken(err)
	case !errors.Is(err, unix.EINVAL):
		return err
	case mtu > lower.MTU:
		return fmt.Errorf("mtu %d is above the %d of %s: %w", mtu, lower.MTU, lower.Name, err)
	}
	for _, kind := range []host.Kind{host.Macvtap, host.Macvlan} {
		others, listErr := b.rt.LinksOfKind(string(kind))
		if listErr != nil {
			return errors.Join(err, listErr)
		}
		for _, l := range others {
			if l.Lower == lower.Index && (l.Mode == host.Passthru || mode == host.Passthru) {
				return fmt.Errorf("%s is on %s in mode %s, and passthru does not share: %w", l.Name, lower.Name, l.Mode, err)
			}
		}
	}
	if lower.Ethernet {
		return fmt.Errorf("a device in another network namespace may be on %s, and passthru does not share: %w", lower.Name, err)
	}
	return err
}

// delMacvtap gives the device below its address back in mode passthru, if the kernel has not done so: it does for an address
// that was set through the device.
func (b *Backend) delMacvtap(o host.DelMacvtap) error {
	l, lower, err := b.ownMacvtap(o)
	if err != nil {
		return err
	}
	if err := b.delFoundLink(l); err != nil || o.Mode != host.Passthru || lower.Index == 0 {
		return err
	}
	return b.giveBack(o.Lower, o.Was)
}

// ownMacvtap finds a device that its operation made, and the one below if that is still called so, for whoever takes it away.
func (b *Backend) ownMacvtap(o host.DelMacvtap) (l, lower rtnl.Link, err error) {
	found, err := b.rt.LinksNamed(o.Link, o.Lower)
	if err != nil {
		return l, lower, err
	}
	for _, f := range found {
		switch f.Name {
		case o.Link:
			l = f
		case o.Lower:
			lower = f
		}
	}
	names := map[int]string{}
	if lower.Index != 0 {
		names[lower.Index] = lower.Name
	}
	if l.Index == 0 {
		return l, lower, errors.Join(fmt.Errorf("macvtap %s: %w", o.Link, fs.ErrNotExist), b.dropShape(o.Link))
	}
	// A device below that goes by another name by now leaves the name empty, which is that of one in another namespace.
	if !host.AddMacvtap(o).Made(linkFact(l, names)) || l.Lower != lower.Index && l.Lower != 0 {
		err = fmt.Errorf("macvtap %s on %s with hardware address %s: %w", o.Link, o.Lower, o.MAC, fs.ErrNotExist)
	}
	return l, lower, err
}

// giveBack gives a link the address again that it had, unless it has it.
func (b *Backend) giveBack(link string, was host.MAC) error {
	l, err := b.rt.Link(link)
	if err != nil || host.MAC(l.MAC) == was {
		return err
	}
	return b.setLink(link, rtnl.Change{MAC: was})
}
