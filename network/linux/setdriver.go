// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

const (
	// releaseTime is how long a guest has to let go of a card that is taken back.
	releaseTime = 5 * time.Second
	// appearTime is how long the network device of a card has to appear.
	appearTime = 2 * time.Second
	// lookPause is the time from one look to the next.
	lookPause = 10 * time.Millisecond
)

// A bus is where the kernel is told about drivers of devices: files of sysfs, and modules.
type bus interface {
	// write writes to a file that is there.
	write(path, text string) error
	// load loads the module of a driver.
	load(ctx context.Context, driver string) error
}

// kernelBus is that of the running kernel.
type kernelBus struct{}

func (kernelBus) write(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(text)
		err = errors.Join(err, file.Close())
	}
	return rtnl.Translate(err)
}

func (kernelBus) load(ctx context.Context, driver string) error {
	out, err := exec.CommandContext(ctx, "modprobe", "-b", "--", driver).CombinedOutput()
	if err != nil {
		return fmt.Errorf("modprobe %s: %w: %s", driver, err, out)
	}
	return nil
}

// setDriver goes on from wherever an earlier attempt has ended. What cannot be done is taken back.
func (b *Backend) setDriver(ctx context.Context, o host.SetDriver) error {
	f, err := b.Facts(ctx, o.Scope())
	if err != nil {
		return err
	}
	if err := o.Refusal(f); err != nil {
		return err
	}
	if err := b.haveDriver(ctx, o.Driver.Name); err != nil {
		return err
	}
	err = b.give(ctx, o.PCI, o.Driver)
	if err != nil && f.Function(o.PCI).Driver == o.Was.Name {
		err = errors.Join(err, b.give(context.WithoutCancel(ctx), o.PCI, o.Was))
	}
	return err
}

// haveDriver loads a driver that is not there yet.
func (b *Backend) haveDriver(ctx context.Context, name string) error {
	folder := filepath.Join(b.sys, "bus/pci/drivers", name)
	if _, err := os.Stat(folder); name == "" || err == nil {
		return nil
	}
	err := b.bus.load(ctx, name)
	if _, statErr := os.Stat(folder); statErr == nil {
		return nil
	}
	if err == nil {
		err = errors.New("its module makes no driver of that name")
	}
	return fmt.Errorf("driver %s: %w: %w", name, errors.ErrUnsupported, err)
}

// give gives a card to a driver, and its network device what that is to have.
func (b *Backend) give(ctx context.Context, place host.PCI, to host.Driver) error {
	s := sysfs{root: b.sys}
	is := s.function(place, "", 0)
	dir := s.dir(place)
	if is.Override != to.Override {
		if err := b.bus.write(filepath.Join(dir, "driver_override"), to.Override+"\n"); err != nil {
			return err
		}
	}
	if is.Driver != to.Name {
		if err := b.rebind(ctx, is, to.Name); err != nil {
			return err
		}
	}
	if to.Link == "" {
		return nil
	}
	return b.dress(ctx, place, to)
}

// rebind takes a card from the driver that has it, and gives it to another. Both may be none.
func (b *Backend) rebind(ctx context.Context, is host.Function, driver string) error {
	if is.Driver != "" {
		if err := b.awaitRelease(ctx, is); err != nil {
			return err
		}
		path := filepath.Join(b.sys, "bus/pci/devices", is.PCI.String(), "driver/unbind")
		if err := taken(b.bus.write(path, is.PCI.String())); err != nil {
			return fmt.Errorf("take %s from driver %s: %w", is.PCI, is.Driver, err)
		}
	}
	if driver == "" {
		return nil
	}
	err := taken(b.bus.write(filepath.Join(b.sys, "bus/pci/drivers", driver, "bind"), is.PCI.String()))
	if errors.Is(err, unix.ENODEV) {
		err = fmt.Errorf("it does not know the card: %w", errors.ErrUnsupported)
	}
	if err != nil {
		return fmt.Errorf("give %s to driver %s: %w", is.PCI, driver, err)
	}
	return nil
}

// awaitRelease waits until no guest has a card open that is passed through. The kernel would wait for ever, and could
// not be stopped any more.
func (b *Backend) awaitRelease(ctx context.Context, fn host.Function) error {
	if !host.PassesThrough(fn.Driver) || fn.Group == "" {
		return nil
	}
	timeout, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	for {
		// Who opens a group is alone with it.
		group, err := os.OpenFile(filepath.Join(b.vfio, fn.Group), os.O_RDWR, 0)
		if err == nil {
			return group.Close()
		}
		if !errors.Is(err, unix.EBUSY) {
			return nil //nolint:nilerr // a kernel without groups: nothing can be told
		}
		if !wait(timeout, lookPause) {
			return fmt.Errorf("card %s is still open, by a guest: %w", fn.PCI, fs.ErrExist)
		}
	}
}

// wait lets time pass, and reports whether there is more.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// dress finds the network device of a card, which may have appeared in the first namespace and with any name, and makes
// it what it is to be.
func (b *Backend) dress(ctx context.Context, place host.PCI, to host.Driver) error {
	timeout, cancel := context.WithTimeout(ctx, appearTime)
	defer cancel()
	l, found, err := b.cardLink(place)
	for err == nil && !found {
		var moved bool
		if moved, err = b.fetch(place, to.Link); err == nil && !moved && !wait(timeout, lookPause) {
			return fmt.Errorf("the network device of %s has not appeared: %w", place, os.ErrDeadlineExceeded)
		}
		if err == nil {
			l, found, err = b.cardLink(place)
		}
	}
	if err != nil {
		return err
	}
	change := rtnl.Change{Up: to.Up && !l.Up, Down: !to.Up && l.Up}
	if l.Name != to.Link {
		change.Name = to.Link
	}
	if host.MAC(l.MAC) != to.MAC {
		change.MAC = to.MAC
	}
	if to.MTU != 0 && l.MTU != to.MTU {
		change.MTU = to.MTU
	}
	if change == (rtnl.Change{}) {
		return nil
	}
	if err := taken(b.rt.SetLinkIndex(l.Index, change)); err != nil {
		return fmt.Errorf("network device %s of %s: %w", l.Name, place, err)
	}
	return nil
}

// cardLink looks for the network device of a card in this namespace.
func (b *Backend) cardLink(place host.PCI) (l rtnl.Link, found bool, err error) {
	names, err := b.cardNames()
	if err != nil {
		return l, false, err
	}
	name := sysfs{root: b.sys, names: names}.link(place)
	if name == "" {
		return l, false, nil
	}
	l, err = b.rt.Link(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l, false, nil // sysfs tells of another namespace, or the link has just got another name
	}
	return l, err == nil, err
}

// firstNamespace is where the kernel puts the network devices of cards.
const firstNamespace = "/proc/1/ns/net"

// fetch moves the network device of a card from the first namespace to this one, and names it. It reports whether it
// found one.
func (b *Backend) fetch(place host.PCI, name string) (found bool, err error) {
	first, err := openNamespace(firstNamespace)
	if err != nil {
		return false, nil //nolint:nilerr // then it is not there either
	}
	defer first.Close()
	here := b.ns
	if here == nil {
		if here, err = openNamespace("/proc/thread-self/ns/net"); err != nil {
			return false, err
		}
		defer here.Close()
	}
	rt, err := rtnl.Open(func(f func() error) error { return inThread(first, f) })
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	links, err := rt.Links()
	if err != nil {
		return false, err
	}
	for _, l := range links {
		if at, ok := b.placeOfLink(l); ok && at == place {
			err := rt.SetLinkIndex(l.Index, rtnl.Change{Name: name, Namespace: int(here.Fd())})
			return true, taken(err)
		}
	}
	return false, nil
}
