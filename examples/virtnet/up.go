// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"

	"github.com/go-virtnet/virtnet/network"
)

// up starts a network: one that is defined, by its name, or the one in a file, which is defined first.
func (s station) up(ctx context.Context, out io.Writer, args []string) error {
	autostart := false
	j, err := s.job(ctx, out, args, 1, 1, func(f *flag.FlagSet) { f.BoolVar(&autostart, "autostart", false, "") })
	if err != nil {
		return err
	}
	defer j.close()
	name := j.flags.Arg(0)
	if _, err := j.nets.Lookup(ctx, name); errors.Is(err, fs.ErrNotExist) {
		d, err := check(name)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: neither a network nor a file: %w", name, err)
		}
		if err != nil {
			return printViolations(out, name, err)
		}
		n, ok := d.(*network.Network)
		if !ok {
			return fmt.Errorf("%s is no <network>", name)
		}
		if err := j.nets.Define(ctx, n); err != nil {
			return err
		}
		name = n.Name
	} else if err != nil {
		return err
	}
	if autostart {
		if err := j.nets.SetAutostart(ctx, name, true); err != nil {
			return err
		}
	}
	if err := j.while(fmt.Sprintf("starting network %q", name), func() error { return j.nets.Start(ctx, name) }); err != nil {
		return err
	}
	status, err := j.nets.Lookup(ctx, name)
	if err != nil {
		return err
	}
	line := lineOf(status)
	return j.show(line, [][]string{networkHeading(), line.cells()})
}

// down stops a network, and forgets it if that is asked for.
func (s station) down(ctx context.Context, out io.Writer, args []string) error {
	idle, undefine := false, false
	j, err := s.job(ctx, out, args, 1, 1, func(f *flag.FlagSet) {
		f.BoolVar(&idle, "idle", false, "")
		f.BoolVar(&undefine, "undefine", false, "")
	})
	if err != nil {
		return err
	}
	defer j.close()
	name := j.flags.Arg(0)
	stop := j.nets.Stop
	if idle {
		stop = j.nets.StopIdle
	}
	err = j.while(fmt.Sprintf("stopping network %q", name), func() error { return stop(ctx, name) })
	if undefine && (err == nil || errors.Is(err, network.ErrInactive)) {
		if err = j.nets.Undefine(ctx, name); errors.Is(err, fs.ErrNotExist) {
			err = nil // it was known only as long as it ran
		}
	}
	if err != nil || !j.json {
		return err
	}
	return j.print(map[string]string{"network": name, "state": "inactive"})
}
