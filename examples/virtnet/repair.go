// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/go-virtnet/virtnet/network"
)

// check prints what has drifted of everything that runs; it finds something if anything has.
func (s station) check(ctx context.Context, out io.Writer, args []string) error {
	return s.drift(ctx, out, args, true)
}

// repair repairs what has drifted and prints what it did; with --dry-run it prints what it would do, and with --watch it
// goes on until it is interrupted.
func (s station) repair(ctx context.Context, out io.Writer, args []string) error {
	return s.drift(ctx, out, args, false)
}

func (s station) drift(ctx context.Context, out io.Writer, args []string, only bool) error {
	dry, watch := only, false
	j, err := s.job(ctx, out, args, 0, 1, func(f *flag.FlagSet) {
		if !only {
			f.BoolVar(&dry, "dry-run", false, "")
			f.BoolVar(&watch, "watch", false, "")
		}
	})
	if err != nil {
		return err
	}
	defer j.close()
	if watch {
		if dry || j.flags.NArg() > 0 {
			return errUsage
		}
		return j.heal(ctx)
	}
	var drift []network.Drift
	err = j.while("comparing with the host", func() (err error) {
		drift, err = j.nets.Repair(ctx, network.RepairRequest{Network: j.flags.Arg(0), DryRun: dry})
		return err
	})
	if printErr := j.printDrift(drift, only); printErr != nil || err != nil {
		return errors.Join(err, printErr)
	}
	if only && len(drift) > 0 {
		return errFound
	}
	return nil
}

func (j *job) printDrift(drift []network.Drift, only bool) error {
	if j.json {
		return j.print(append([]network.Drift{}, drift...))
	}
	for _, d := range drift {
		steps := d.Repair
		if only {
			steps = d.Missing
		}
		fmt.Fprintf(j.out, "%s\n%s", d.String(), steps)
		for _, step := range d.Left {
			if !only {
				fmt.Fprintf(j.out, "left: %s\n", step.Op)
			}
		}
	}
	return nil
}

// heal repairs what drifts as it happens, and prints what happens.
func (j *job) heal(ctx context.Context) error {
	for e, err := range j.nets.Heal(ctx, network.Healing{}) {
		switch {
		case err != nil && e.Kind == 0 && e.Network == "" && e.Port.IsZero():
			return err
		case err != nil:
			fmt.Fprintln(j.errs, "virtnet:", err)
		case j.json:
			if err := json.NewEncoder(j.out).Encode(e); err != nil {
				return err
			}
		default:
			fmt.Fprintf(j.out, "%s  %s\n", e.Time.Format("15:04:05"), e)
		}
	}
	return nil
}
