// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/go-virtnet/virtnet/network"
)

// drift prints what has drifted of what runs, and repairs it: or only prints it, and finds something if anything has.
type drift struct{ only, dry, watch bool }

func (d *drift) flags(f *flag.FlagSet) {
	if !d.only {
		f.BoolVar(&d.dry, "dry-run", false, "print what would be done, and do nothing")
		f.BoolVar(&d.watch, "watch", false, "go on, and repair what drifts as it happens; --json prints an event a line")
	}
}

func (d *drift) run(ctx context.Context, c *call) error {
	if d.watch && (d.dry || len(c.args) > 0) {
		return wrong("--watch repairs all networks, and has no dry run")
	}
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	if len(c.args) > 0 {
		if _, err := known(ctx, nets, c.arg(0)); err != nil {
			return err
		}
	}
	if d.watch {
		return c.heal(ctx, nets)
	}
	found := []network.Drift{}
	err = c.while("comparing with the host", func() error {
		drifts, err := nets.Repair(ctx, network.RepairRequest{Network: c.arg(0), DryRun: d.dry || d.only})
		found = append(found, drifts...)
		return err
	})
	if c.json {
		err = errors.Join(err, c.print(found))
	} else {
		d.print(c, found)
	}
	if err == nil && d.only && len(found) > 0 {
		return errFound
	}
	return err
}

// print prints what is missing or what was done about it, and then what was left.
func (d *drift) print(c *call, found []network.Drift) {
	for _, drift := range found {
		if d.only {
			fmt.Fprintf(c.out, "%s\n%s", drift.String(), drift.Missing)
			continue
		}
		fmt.Fprintf(c.out, "%s\n%s", drift.String(), drift.Repair)
		for _, step := range drift.Left {
			fmt.Fprintf(c.out, "left: %s\n", step.Op)
		}
	}
	if len(found) == 0 {
		fmt.Fprintln(c.out, "all is as it was built")
	}
}

// heal repairs what drifts as it happens, and prints what happens.
func (c *call) heal(ctx context.Context, nets *network.Manager) error {
	for e, err := range nets.Heal(ctx, network.Healing{}) {
		switch {
		case err != nil && e.Kind == 0 && e.Network == "" && e.Port.IsZero():
			return err
		case err != nil:
			fmt.Fprintln(c.errs, "virtnet:", err)
		case c.json:
			if err := c.line(e); err != nil {
				return err
			}
		default:
			fmt.Fprintf(c.out, "%s  %s\n", e.Time.Format(time.TimeOnly), e)
		}
	}
	return nil
}
