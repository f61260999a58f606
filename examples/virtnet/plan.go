// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/linux"
)

// plan prints what starting a network would do on this host, as it is now.
func plan(ctx context.Context, out io.Writer, files []string) error {
	if len(files) != 1 {
		return errUsage
	}
	d, err := check(files[0])
	if err != nil {
		return printViolations(out, files[0], err)
	}
	n, ok := d.(*network.Network)
	if !ok {
		return fmt.Errorf("%s is no <network>", files[0])
	}
	b, where, err := thisHost()
	if err != nil {
		return err
	}
	nets, err := network.Open(ctx, b, network.Memory())
	if err != nil {
		return err
	}
	if err := nets.Define(ctx, n); err != nil {
		return err
	}
	steps, err := nets.Plan(ctx, n.Name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "# network %q on %s\n%s", n.Name, where, steps)
	return nil
}

// thisHost is the host the program runs on or, where that cannot be, a machine in memory.
func thisHost() (b host.Backend, where string, err error) {
	real, err := linux.Open(linux.Config{})
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		return hosttest.New("eth0"), fmt.Sprintf("a machine in memory (this one: %v)", err), nil
	}
	if err != nil {
		return nil, "", err
	}
	return real, "this host", nil
}
