// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// attach connects the interface of a guest. The guest opens the tap by its name; a container gets its end of a pair.
type attach struct{ guest domainiface.Guest }

func (a *attach) flags(f *flag.FlagSet) {
	f.StringVar(&a.guest.Name, "guest", "", "the `NAME` of the guest")
	f.StringVar(&a.guest.Namespace, "guest-netns", "", "the `FILE` of the network namespace that gets a network card; without it the guest gets a tap")
}

func (a *attach) run(ctx context.Context, c *call) error {
	file := c.arg(0)
	if a.guest.Name == "" {
		a.guest.Name = strings.TrimSuffix(filepath.Base(file), ".xml")
	}
	if a.guest.Name == "-" {
		return wrong("the standard input does not name the guest: --guest NAME")
	}
	nic, err := c.interfaceIn(file)
	if err != nil {
		return err
	}
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	var p *domainiface.Port
	err = c.while(fmt.Sprintf("attaching %s", a.guest.Name), func() (err error) {
		p, err = domainiface.Attach(ctx, nets, a.guest, nic)
		return err
	})
	if err != nil {
		return mayNot(err)
	}
	status, err := nets.Port(ctx, p.Network, p.ID)
	if err != nil {
		return err
	}
	line := portLineOf(status)
	return c.show(line, portHeading(), line.cells())
}

// detach takes a port away, by its uuid or the name of its device.
func detach(ctx context.Context, c *call) error {
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	p, err := findPort(ctx, nets, c.arg(0))
	if err != nil {
		return err
	}
	err = c.while(fmt.Sprintf("detaching %s", c.arg(0)), func() error { return nets.DeletePort(ctx, p.Network, p.Port.UUID) })
	if err != nil {
		return mayNot(err)
	}
	line := portLineOf(p)
	return c.show(line, portHeading(), line.cells())
}

// findPort finds a port of any network, or of none.
func findPort(ctx context.Context, nets *network.Manager, name string) (*network.PortStatus, error) {
	id, err := schema.ParseUUID(name)
	isID := err == nil
	networks := []string{""}
	for s, err := range nets.All(ctx) {
		if err == nil {
			networks = append(networks, s.Name)
		}
	}
	var errs []error
	for _, n := range networks {
		for p, err := range nets.Ports(ctx, n) {
			switch {
			case err != nil:
				errs = append(errs, err)
			case isID && p.Port.UUID == id, !isID && p.Link == name:
				return p, nil
			}
		}
	}
	return nil, errors.Join(append(errs, fmt.Errorf("no port %s", name))...)
}
