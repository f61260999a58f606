// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/go-virtnet/virtnet/network"
)

// up starts a network: one that is defined, by its name, or the one in a file, which is defined first. Without either it
// starts those that are marked.
type up struct{ mark *bool }

func (u *up) flags(f *flag.FlagSet) {
	f.BoolFunc("autostart", "mark the network as one that \"virtnet up\" starts without an argument; --autostart=false takes the mark away", func(text string) error {
		mark, err := strconv.ParseBool(text)
		u.mark = &mark
		return err
	})
}

func (u *up) run(ctx context.Context, c *call) error {
	name := c.arg(0)
	if name == "" {
		return u.marked(ctx, c)
	}
	var n *network.Network
	var err error
	if isFile(name) {
		if n, err = c.networkIn(name); err != nil {
			return err
		}
		name = n.Name
	}
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	if n != nil {
		err = nets.Define(ctx, n)
	} else {
		_, err = known(ctx, nets, name)
	}
	if err == nil && u.mark != nil {
		err = nets.SetAutostart(ctx, name, *u.mark)
	}
	if err != nil {
		return err
	}
	err = c.while(fmt.Sprintf("starting network %q", name), func() error { return nets.Start(ctx, name) })
	if errors.Is(err, network.ErrActive) {
		fmt.Fprintf(c.errs, "virtnet: network %q ran already, and was left as it is\n", name)
		err = nil
	}
	if err != nil {
		return mayNot(err)
	}
	status, err := nets.Lookup(ctx, name)
	if err != nil {
		return err
	}
	line := lineOf(status)
	return c.show(line, networkHeading(), line.cells())
}

// marked starts the networks that are marked, and prints them all.
func (u *up) marked(ctx context.Context, c *call) error {
	if u.mark != nil {
		return wrong("--autostart marks a network, and none is named")
	}
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	err = c.while("starting the networks that are marked", func() error { return nets.Autostart(ctx) })
	return errors.Join(mayNot(err), list(ctx, c))
}

// down stops a network, and forgets it if that is asked for.
type down struct{ idle, undefine bool }

func (d *down) flags(f *flag.FlagSet) {
	f.BoolVar(&d.idle, "idle", false, "refuse a network that has ports")
	f.BoolVar(&d.undefine, "undefine", false, "forget the network as well")
}

func (d *down) run(ctx context.Context, c *call) error {
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	name := c.arg(0)
	status, err := known(ctx, nets, name)
	if err != nil {
		return err
	}
	stop := nets.Stop
	if d.idle || d.undefine { // nobody could find the ports of a network that is forgotten
		stop = nets.StopIdle
	}
	err = c.while(fmt.Sprintf("stopping network %q", name), func() error { return stop(ctx, name) })
	if d.undefine && (err == nil || errors.Is(err, network.ErrInactive)) {
		if err = nets.Undefine(ctx, name); errors.Is(err, fs.ErrNotExist) {
			err = nil // it was known only as long as it ran
		}
	}
	if err != nil {
		return err
	}
	line := lineOf(status)
	line.State, line.Since = inactive, nil
	line.Persistent = line.Persistent && !d.undefine
	line.Autostart = line.Autostart && !d.undefine
	return c.show(line, networkHeading(), line.cells())
}
