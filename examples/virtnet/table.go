// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// printTable prints what stands: the networks, their ports, and the addresses that were given out.
func printTable(ctx context.Context, out io.Writer, nets *network.Manager) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  NETWORK\tSTATE\tMODE\tBRIDGE\tADDRESSES")
	var names []string
	for s, err := range nets.All(ctx) {
		if err != nil {
			return err
		}
		state, n := "inactive", s.Definition
		if s.Active() {
			state, n = "active", s.Live
			names = append(names, s.Name)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", s.Name, state, n.Mode(), n.Bridge.Name, addresses(n))
	}
	fmt.Fprintln(w, "\n  PORT\tNETWORK\tGUEST\tDEVICE\tMAC")
	for _, name := range names {
		for p, err := range nets.Ports(ctx, name) {
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", p.Port.UUID, p.Network, p.Port.Owner.Name, p.Link, p.Port.MAC.Address)
		}
	}
	if err := printLeases(ctx, w, nets, names); err != nil {
		return err
	}
	return w.Flush()
}

func addresses(n *network.Network) string {
	text := ""
	for i := range n.IPs {
		if prefix, ok := n.IPs[i].Prefix(); ok {
			text += prefix.String() + " "
		}
	}
	return text
}

func printLeases(ctx context.Context, w io.Writer, nets *network.Manager, names []string) error {
	reader, ok := nets.Backend().(host.LeaseReader)
	if !ok {
		return nil
	}
	fmt.Fprintln(w, "\n  LEASE\tNETWORK\tHOSTNAME\tMAC\tUNTIL")
	for _, name := range names {
		s, err := nets.Lookup(ctx, name)
		if err != nil {
			return err
		}
		leases, err := reader.Leases(ctx, s.UUID.String())
		if err != nil {
			continue // a network that serves no addresses has none
		}
		for _, l := range leases {
			until := "for ever"
			if !l.Expires.IsZero() {
				until = l.Expires.Format("15:04:05")
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", l.Addr, name, l.Hostname, l.MAC, until)
		}
	}
	return nil
}
