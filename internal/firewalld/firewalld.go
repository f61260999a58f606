// SPDX-License-Identifier: Apache-2.0

// Package firewalld has links put into zones by firewalld, which may be there or not.
package firewalld

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/internal/dbus"
	"github.com/go-virtnet/virtnet/network/host"
)

// Name is that of firewalld on a message bus.
const Name = "org.fedoraproject.FirewallD1"

// patience is how long an answer may take. Nothing is answered while all rules are loaded anew, which takes seconds.
const patience = 30 * time.Second

var object = dbus.Object{Name: Name, Path: "/org/fedoraproject/FirewallD1"}

// A client is a connection to firewalld.
type client struct{ *dbus.Conn }

// open is dbus.ErrGone if firewalld is not on the bus, or there is no bus.
func open(ctx context.Context, address string) (client, error) {
	conn, err := dbus.Reach(ctx, address, Name)
	return client{conn}, err
}

func (c client) ask(ctx context.Context, method string, args []any, results ...any) error {
	return c.Ask(ctx, object, Name+"."+method, args, results...)
}

// Zones is what firewalld on the bus at that address says. That it does not run is no error.
func Zones(ctx context.Context, address string) (host.Zones, error) {
	z, err := zones(ctx, address)
	switch {
	case errors.Is(err, dbus.ErrNone):
		return host.Zones{}, nil
	case errors.Is(err, dbus.ErrGone):
		return host.Zones{Possible: true}, nil
	}
	if err != nil {
		return host.Zones{}, fmt.Errorf("firewalld: %w", err)
	}
	return z, nil
}

func zones(ctx context.Context, address string) (host.Zones, error) {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	c, err := open(ctx, address)
	if err != nil {
		return host.Zones{}, err
	}
	defer c.Close()
	z := host.Zones{Possible: true, Running: true}
	if err := c.ask(ctx, "zone.getZones", nil, &z.Names); err != nil {
		return z, err
	}
	// Those before 0.9 have no policies.
	var unknown *dbus.Error
	if err := c.ask(ctx, "policy.getPolicies", nil, &z.Policies); err != nil && !errors.As(err, &unknown) {
		return z, err
	}
	var active map[string]map[string][]string
	if err := c.ask(ctx, "zone.getActiveZones", nil, &active); err != nil {
		return z, err
	}
	for zone, has := range active {
		for _, link := range has["interfaces"] {
			z.Links = append(z.Links, host.ZonedLink{Link: link, Zone: zone})
		}
	}
	return z, nil
}

// SetZone has firewalld on the bus at that address carry out an operation.
func SetZone(ctx context.Context, address string, o host.SetZone) error {
	err := setZone(ctx, address, o)
	var answer *dbus.Error
	switch {
	case errors.Is(err, dbus.ErrGone) && o.Optional:
		return nil
	case errors.Is(err, dbus.ErrGone):
		// What it knew of links it has taken along.
		if o.Was != "" {
			return fmt.Errorf("firewalld: %w: %w", err, fs.ErrNotExist)
		}
		return fmt.Errorf("firewalld: %w: %w", err, errors.ErrUnsupported)
	case errors.Is(err, fs.ErrPermission):
	case errors.As(err, &answer):
		err = classify(o, answer)
	}
	if err != nil {
		return fmt.Errorf("firewalld: %w", err)
	}
	return nil
}

func setZone(ctx context.Context, address string, o host.SetZone) error {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	c, err := open(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	if o.Optional && o.Zone != "" {
		var names []string
		if err := c.ask(ctx, "zone.getZones", nil, &names); err != nil || !(host.Zones{Names: names}).Has(o.Zone) {
			return err
		}
	}
	var is string
	if err := c.ask(ctx, "zone.getZoneOfInterface", []any{o.Link}, &is); err != nil {
		return err
	}
	switch {
	case o.Was == "" && is != "":
		return fmt.Errorf("link %s is in zone %s: %w", o.Link, is, fs.ErrExist)
	case is != "" && is == o.Zone:
		return nil
	case is != o.Was:
		return fmt.Errorf("link %s is not in zone %s: %w", o.Link, o.Was, fs.ErrNotExist)
	}
	return c.change(ctx, o)
}

// change moves a link that is where the operation says. Somebody else may be faster even now.
func (c client) change(ctx context.Context, o host.SetZone) error {
	method, args := move(o)
	err := c.ask(ctx, method, args, new(string))
	if err != nil && ctx.Err() != nil {
		// It may still do it, and then this.
		method, args = move(host.SetZone{Link: o.Link, Zone: o.Was, Was: o.Zone})
		c.Tell(object, Name+"."+method, args...)
	}
	return err
}

func move(o host.SetZone) (method string, args []any) {
	switch {
	case o.Zone == "":
		return "zone.removeInterface", []any{o.Was, o.Link}
	case o.Was == "":
		return "zone.addInterface", []any{o.Zone, o.Link}
	}
	return "zone.changeZoneOfInterface", []any{o.Zone, o.Link}
}

// classify gives an answer its class. It begins with firewalld's word for what is the matter.
func classify(o host.SetZone, answer *dbus.Error) error {
	word, _, _ := strings.Cut(answer.Text, ":")
	class := fs.ErrNotExist
	switch word {
	case "INVALID_ZONE", "UNKNOWN_INTERFACE":
	case "ZONE_CONFLICT", "ZONE_ALREADY_SET":
		if o.Zone != "" {
			class = fs.ErrExist
		}
	case "INVALID_INTERFACE":
		class = fs.ErrInvalid
	case "NOT_AUTHORIZED":
		class = fs.ErrPermission
	default:
		return answer
	}
	return fmt.Errorf("%w: %w", answer, class)
}
