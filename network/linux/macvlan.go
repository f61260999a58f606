// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// addMacvlan makes a device where it belongs: it is never seen in this namespace. In mode passthru its address is set
// through it, as that of a macvtap device is.
func (b *Backend) addMacvlan(o host.AddMacvlan) error {
	lower, err := b.below(host.Macvlan, o.Link, o.Lower, o.Mode)
	if err != nil {
		return err
	}
	return b.inGuest(o.Namespace, func(guest *rtnl.Conn, namespace int) error {
		if err := b.freeIn(guest, o); err != nil {
			return err
		}
		err := b.rt.AddMacvlan(rtnl.NewLink{Name: o.Born(), MAC: o.MAC, MTU: o.MTU}, rtnl.Stacked{
			Lower: lower.Index, Mode: o.Mode, NoPromisc: o.NoPromisc, Namespace: namespace,
		})
		if err != nil {
			return fmt.Errorf("macvlan %s in %s on %s: %w", o.Link, o.Namespace, o.Lower, b.refusal(o.Mode, o.MTU, o.Lower, err))
		}
		return b.finishMacvlan(guest, o, lower)
	})
}

// freeIn refuses a namespace that has a link of the name, and the one of the device below, where guests are not looked for.
func (b *Backend) freeIn(guest *rtnl.Conn, o host.AddMacvlan) error {
	here, err := b.rt.Cookie()
	if err != nil {
		return err
	}
	there, err := guest.Cookie()
	if err != nil {
		return err
	}
	if here == there && here != 0 {
		return fmt.Errorf("macvlan %s: %s is the namespace of %s itself: %w", o.Link, o.Namespace, o.Lower, fs.ErrInvalid)
	}
	found, err := guest.LinksNamed(o.Link)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("link %s in %s: %w", o.Link, o.Namespace, fs.ErrExist)
	}
	return err
}

// finishMacvlan gives a device its name, for which kernels before 6.14 look in the wrong namespace when it is made, and what
// the kernel does not take in the message that makes it. If that fails the device is removed again.
func (b *Backend) finishMacvlan(guest *rtnl.Conn, o host.AddMacvlan, lower rtnl.Link) error {
	l, err := guest.Link(o.Born())
	if err != nil {
		return err
	}
	change := rtnl.Change{Name: o.Link, Alias: o.Owner}
	if o.Mode == host.Passthru && o.MAC != host.MAC(lower.MAC) {
		change.MAC = o.MAC
	}
	if err := keepsAddress(o.Lower, taken(guest.SetLinkIndex(l.Index, change))); err != nil {
		return errors.Join(fmt.Errorf("macvlan %s in %s: %w", o.Link, o.Namespace, err), b.delGuestLink(guest, l.Index, o))
	}
	return nil
}

// delMacvlan counts a device as missing whose namespace is gone. The kernel removes it behind that; in mode passthru the
// next guest could not have the device below before.
func (b *Backend) delMacvlan(ctx context.Context, o host.DelMacvlan) error {
	err := b.inGuest(o.Namespace, func(guest *rtnl.Conn, _ int) error { return b.delMacvlanIn(guest, host.AddMacvlan(o)) })
	if errors.Is(err, errNoNamespace) {
		err = fmt.Errorf("macvlan %s: %w: %w", o.Link, fs.ErrNotExist, err)
		if o.Mode == host.Passthru {
			b.awaitAddress(ctx, o.Lower, o.Was)
		}
	}
	return err
}

// delMacvlanIn removes the device in its namespace, whatever it is called there.
func (b *Backend) delMacvlanIn(guest *rtnl.Conn, o host.AddMacvlan) error {
	l, err := b.findMacvlan(guest, o)
	if err != nil {
		return err
	}
	return b.delGuestLink(guest, l.index, o)
}

// findMacvlan finds the device in its namespace, whatever it is called there.
func (b *Backend) findMacvlan(guest *rtnl.Conn, o host.AddMacvlan) (macvlan, error) {
	links, err := b.macvlansIn(guest)
	if err != nil {
		return macvlan{}, err
	}
	for _, l := range links {
		if o.Made(l.fact) {
			return l, nil
		}
	}
	return macvlan{}, fmt.Errorf("macvlan %s in %s on %s: %w", o.Link, o.Namespace, o.Lower, fs.ErrNotExist)
}

// delGuestLink removes a device in another namespace that was just seen, and gives the one below its address back if the
// kernel has not done so.
func (b *Backend) delGuestLink(guest *rtnl.Conn, index int, o host.AddMacvlan) error {
	if err := guest.DelLink(index); err != nil || o.Mode != host.Passthru {
		return err
	}
	if err := b.giveBack(o.Lower, o.Was); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// vanishes is how long the kernel may take with a network namespace that nobody has any more.
const vanishes = 2 * time.Second

// awaitAddress waits until a link has its own address again.
func (b *Backend) awaitAddress(ctx context.Context, link string, own host.MAC) {
	ctx, cancel := context.WithTimeout(ctx, vanishes)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if l, err := b.rt.Link(link); err != nil || host.MAC(l.MAC) == own {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// inGuest runs f with a connection to another network namespace, and with the descriptor of that. If there is none the error
// wraps errNoNamespace; a file where one was mounted may stay behind.
func (b *Backend) inGuest(namespace string, f func(guest *rtnl.Conn, namespace int) error) (err error) {
	file, err := openNamespace(namespace)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", errNoNamespace, err)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	guest, err := rtnl.Open(func(f func() error) error { return inThread(file, f) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, guest.Close()) }()
	return f(guest, int(file.Fd()))
}

// A macvlan is a device in another namespace that stands on a device of this one.
type macvlan struct {
	index int
	fact  host.Link
}

// macvlansIn lists the macvlan devices of another namespace that stand on devices of this one.
func (b *Backend) macvlansIn(guest *rtnl.Conn) ([]macvlan, error) {
	links, err := guest.LinksOfKind(string(host.Macvlan))
	if err != nil {
		return nil, err
	}
	var lowers []int
	for _, l := range links {
		if l.Outside != 0 {
			lowers = append(lowers, l.Outside)
		}
	}
	names, err := b.moreNames(map[int]string{}, lowers)
	if err != nil {
		return nil, err
	}
	var found []macvlan
	for _, l := range links {
		if l.Outside == 0 {
			continue
		}
		fact := linkFact(l, nil)
		fact.Lower = names[l.Outside]
		found = append(found, macvlan{l.Index, fact})
	}
	return found, nil
}

// guestFacts looks for the devices in the namespaces of guests that a scope names.
func (b *Backend) guestFacts(scope host.Scope, f *host.Facts) error {
	for _, namespace := range slices.Compact(slices.Sorted(slices.Values(scope.Namespaces))) {
		err := b.inGuest(namespace, func(guest *rtnl.Conn, _ int) error {
			links, err := b.macvlansIn(guest)
			for _, l := range links {
				f.Guests = append(f.Guests, host.GuestLink{Namespace: namespace, Link: l.fact})
			}
			return err
		})
		if err != nil && !errors.Is(err, errNoNamespace) {
			return err
		}
	}
	return nil
}
