// SPDX-License-Identifier: Apache-2.0

// Package resolved has systemd-resolved ask DNS servers on links, which may be there or not.
package resolved

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"github.com/go-virtnet/virtnet/internal/dbus"
	"github.com/go-virtnet/virtnet/network/host"
)

// Name is that of systemd-resolved on a message bus.
const Name = "org.freedesktop.resolve1"

// patience is how long an answer may take, and how long it may take it to hear from the kernel of a new link.
const patience = 5 * time.Second

var object = dbus.Object{Name: Name, Path: "/org/freedesktop/resolve1"}

// A client is a connection to systemd-resolved.
type client struct{ *dbus.Conn }

// open is dbus.ErrGone if systemd-resolved is not on the bus, or there is no bus.
func open(ctx context.Context, address string) (client, error) {
	conn, err := dbus.Reach(ctx, address, Name)
	return client{conn}, err
}

func (c client) ask(ctx context.Context, method string, args ...any) error {
	return c.Ask(ctx, object, Name+".Manager."+method, args)
}

// property reads a property of the whole.
func (c client) property(ctx context.Context, name string, value any) error {
	return c.Ask(ctx, object, "org.freedesktop.DBus.Properties.Get", []any{Name + ".Manager", name}, value)
}

// The elements of the properties DNS and Domains. Those of no link have the index 0.
type (
	server struct {
		Index, Family int32
		Addr          []byte
	}
	domain struct {
		Index int32
		Name  string
		Route bool
	}
)

// Links is what systemd-resolved on the bus at that address knows of links, with names by their indexes. That it does not run
// is no error.
func Links(ctx context.Context, address string, names map[int]string) (host.Resolver, error) {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	r, err := links(ctx, address, names)
	if errors.Is(err, dbus.ErrGone) {
		return host.Resolver{}, nil
	}
	if err != nil {
		return host.Resolver{}, fmt.Errorf("systemd-resolved: %w", err)
	}
	return r, nil
}

func links(ctx context.Context, address string, names map[int]string) (host.Resolver, error) {
	c, err := open(ctx, address)
	if err != nil {
		return host.Resolver{}, err
	}
	defer c.Close()
	var servers []server
	var domains []domain
	if err := errors.Join(c.property(ctx, "DNS", &servers), c.property(ctx, "Domains", &domains)); err != nil {
		return host.Resolver{}, err
	}
	found := map[int32]*host.ResolverLink{}
	link := func(index int32) *host.ResolverLink {
		if found[index] == nil {
			found[index] = &host.ResolverLink{Link: names[int(index)]}
		}
		return found[index]
	}
	for _, s := range servers {
		if addr, ok := netip.AddrFromSlice(s.Addr); ok {
			link(s.Index).Servers = append(link(s.Index).Servers, addr)
		}
	}
	for _, d := range domains {
		if d.Route {
			d.Name = "~" + d.Name
		}
		link(d.Index).Domains = append(link(d.Index).Domains, d.Name)
	}
	r := host.Resolver{Running: true}
	for _, l := range found {
		if l.Link != "" {
			r.Links = append(r.Links, *l)
		}
	}
	return r, nil
}

// Register has systemd-resolved on the bus at that address carry out an operation on the link with that index.
func Register(ctx context.Context, address string, o host.Register, index int) error {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	c, err := open(ctx, address)
	if errors.Is(err, dbus.ErrGone) {
		return fmt.Errorf("systemd-resolved: %w: %w", err, errors.ErrUnsupported)
	}
	if err != nil {
		return fmt.Errorf("systemd-resolved: %w", err)
	}
	defer c.Close()
	type addr struct {
		Family int32
		Addr   []byte
	}
	type name struct {
		Name  string
		Route bool
	}
	family := int32(2) // that of IPv4
	if o.Server.Is6() {
		family = 10
	}
	err = c.whenKnown(ctx, func() error {
		return c.ask(ctx, "SetLinkDNS", int32(index), []addr{{family, o.Server.AsSlice()}})
	})
	if err == nil {
		if err = c.ask(ctx, "SetLinkDomains", int32(index), []name{{o.Domain, true}}); err != nil {
			undoing, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer done()
			err = errors.Join(err, c.ask(undoing, "RevertLink", int32(index)))
		}
	}
	if err != nil {
		return fmt.Errorf("systemd-resolved: link %s: %w", o.Link, err)
	}
	return nil
}

// whenKnown calls f again as long as the link is one that systemd-resolved has not heard of.
func (c client) whenKnown(ctx context.Context, f func() error) error {
	for pause := time.Millisecond; ; pause *= 2 {
		err := f()
		if !isUnknown(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, fs.ErrNotExist)
		case <-time.After(pause):
		}
	}
}

func isUnknown(err error) bool {
	var answer *dbus.Error
	return errors.As(err, &answer) && answer.Name == Name+".NoSuchLink"
}

// Unregister has systemd-resolved on the bus at that address forget the link with that index. That it does not run, or does
// not know it, is no error.
func Unregister(ctx context.Context, address string, index int) error {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	c, err := open(ctx, address)
	if err == nil {
		defer c.Close()
		err = c.ask(ctx, "RevertLink", int32(index))
	}
	if err == nil || isUnknown(err) || errors.Is(err, dbus.ErrGone) {
		return nil
	}
	return fmt.Errorf("systemd-resolved: %w", err)
}
