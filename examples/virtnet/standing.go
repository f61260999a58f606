// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/go-virtnet/virtnet/network"
)

// printStanding prints what stands: the networks, their ports, and the addresses of guests.
func printStanding(ctx context.Context, out io.Writer, nets *network.Manager) error {
	networks, plugged, given := []row{networkHeading()}, []row{portHeading()}, []row{addressHeading()}
	running, err := active(ctx, nets)
	if err != nil {
		return err
	}
	for _, n := range running {
		networks = append(networks, lineOf(n).cells())
		all, err := ports(ctx, nets, n.Name)
		if err != nil {
			return err
		}
		for _, p := range all {
			line := portLineOf(p)
			plugged = append(plugged, line.cells())
		}
		lines, err := addressLines(ctx, nets, n.Name)
		if err != nil {
			return err
		}
		for _, line := range lines {
			given = append(given, line.cells())
		}
	}
	for i, rows := range [][]row{networks, plugged, given} {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := table(out, "  ", rows...); err != nil {
			return err
		}
	}
	return nil
}
