// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// adopt takes a network over from libvirt, or prints how it would.
type adopt struct{ dry bool }

func (a *adopt) flags(f *flag.FlagSet) {
	f.BoolVar(&a.dry, "dry-run", false, "print what would be done, and do nothing; libvirt may run")
}

// An adoptPage is what is done, as an object of JSON.
type adoptPage struct {
	Network string     `json:"network"`
	Steps   host.Plan  `json:"steps"`
	Ports   []portLine `json:"ports"`
	// Others are links on the bridge of which no guest is known.
	Others []string `json:"others,omitempty"`
	// Daemon is the process of libvirt that has to be stopped before.
	Daemon int `json:"daemon,omitempty"`
}

func (a *adopt) run(ctx context.Context, c *call) error {
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	req := network.AdoptRequest{Name: c.arg(0)}
	var done *network.Adoption
	if a.dry {
		done, err = nets.PlanAdopt(ctx, req)
	} else {
		err = c.while(fmt.Sprintf("taking over network %q", req.Name), func() (err error) {
			done, err = nets.Adopt(ctx, req)
			return err
		})
	}
	if done == nil {
		return mayNot(err)
	}
	return errors.Join(err, c.adopted(done))
}

// adopted prints what was or would be done.
func (c *call) adopted(a *network.Adoption) error {
	page := adoptPage{Network: a.Network.Name, Steps: append(a.Plan, a.After...), Ports: []portLine{}, Others: a.Others, Daemon: a.Daemon}
	for _, p := range a.Ports {
		page.Ports = append(page.Ports, portLineOf(&network.PortStatus{Network: page.Network, Port: p.Port, Link: p.Link}))
	}
	if c.json {
		return c.print(page)
	}
	fmt.Fprint(c.out, page.Steps)
	for _, p := range page.Ports {
		fmt.Fprintf(c.out, "port %s: guest %s on %s\n", p.Port, p.Guest, p.Link)
	}
	for _, link := range page.Others {
		fmt.Fprintf(c.out, "no port, and stays plugged in: %s\n", link)
	}
	if page.Daemon != 0 {
		fmt.Fprintf(c.out, "libvirt runs as process %d, and has to be stopped before; guests go on\n", page.Daemon)
	}
	return nil
}
