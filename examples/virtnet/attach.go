// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// attach connects the interface of a guest. The guest opens the tap by its name; a container gets its end of a pair.
func (s station) attach(ctx context.Context, out io.Writer, args []string) error {
	var guest domainiface.Guest
	j, err := s.job(ctx, out, args, 1, 1, func(f *flag.FlagSet) {
		f.StringVar(&guest.Name, "guest", "", "")
		f.StringVar(&guest.Namespace, "guest-netns", "", "")
	})
	if err != nil {
		return err
	}
	defer j.close()
	if guest.Name == "" {
		return errUsage
	}
	file := j.flags.Arg(0)
	d, err := check(file)
	if err != nil {
		return printViolations(out, file, err)
	}
	nic, ok := d.(*domainiface.Interface)
	if !ok {
		return fmt.Errorf("%s is no <interface>", file)
	}
	var p *domainiface.Port
	err = j.while(fmt.Sprintf("attaching %s", guest.Name), func() (err error) {
		p, err = domainiface.Attach(ctx, j.nets, guest, nic)
		return err
	})
	if err != nil {
		return err
	}
	status, err := j.nets.Port(ctx, p.Network, p.ID)
	if err != nil {
		return err
	}
	line := portLineOf(status)
	return j.show(line, [][]string{portHeading(), line.cells()})
}

// detach takes a port away, by its uuid or the name of its device.
func (s station) detach(ctx context.Context, out io.Writer, args []string) error {
	j, err := s.job(ctx, out, args, 1, 1, nil)
	if err != nil {
		return err
	}
	defer j.close()
	p, err := j.port(ctx, j.flags.Arg(0))
	if err != nil {
		return err
	}
	err = j.while(fmt.Sprintf("detaching %s", p.Link), func() error { return j.nets.DeletePort(ctx, p.Network, p.Port.UUID) })
	if err != nil || !j.json {
		return err
	}
	return j.print(portLineOf(p))
}

// port finds a port of any network, or of none.
func (j *job) port(ctx context.Context, name string) (*network.PortStatus, error) {
	id, err := schema.ParseUUID(name)
	isID := err == nil
	networks := []string{""}
	for s, err := range j.nets.All(ctx) {
		if err == nil {
			networks = append(networks, s.Name)
		}
	}
	var errs []error
	for _, n := range networks {
		for p, err := range j.nets.Ports(ctx, n) {
			switch {
			case err != nil:
				errs = append(errs, err)
			case isID && p.Port.UUID == id, !isID && p.Link == name:
				return p, nil
			}
		}
	}
	return nil, errors.Join(append(errs, fmt.Errorf("no port %s: %w", name, fs.ErrNotExist))...)
}
