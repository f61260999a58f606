// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// A planPage is a plan as an object of JSON.
type planPage struct {
	Network string    `json:"network"`
	Host    string    `json:"host"`
	Steps   host.Plan `json:"steps"`
}

// plan prints what starting a network would do on this host, as it is now.
func plan(ctx context.Context, c *call) error {
	if name := c.arg(0); !isFile(name) {
		nets, err := c.manager(ctx)
		if err != nil {
			return err
		}
		if _, err := known(ctx, nets, name); err != nil {
			return err
		}
		steps, err := nets.Plan(ctx, name)
		if err != nil {
			return err
		}
		return c.steps(planPage{name, "this host", steps})
	}
	n, err := c.networkIn(c.arg(0))
	if err != nil {
		return err
	}
	var page planPage
	err = c.hostOrMemory(func(b host.Backend, where string) (err error) {
		page = planPage{Network: n.Name, Host: where}
		nets, err := network.Open(ctx, b, network.Memory())
		if err != nil {
			return err
		}
		if err := nets.Define(ctx, n); err != nil {
			return err
		}
		page.Steps, err = nets.Plan(ctx, n.Name)
		return err
	})
	if err != nil {
		return err
	}
	return c.steps(page)
}

// steps prints a plan.
func (c *call) steps(p planPage) error {
	if c.json {
		return c.print(p)
	}
	_, err := fmt.Fprintf(c.out, "# network %q on %s\n%s", p.Network, p.Host, p.Steps)
	return err
}
