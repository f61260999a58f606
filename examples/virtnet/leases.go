// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"flag"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network"
)

// An addressLine is an address of a guest as a line of a table, or an object of JSON.
type addressLine struct {
	Network  string `json:"network"`
	Address  string `json:"address"`
	Guest    string `json:"guest,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	MAC      string `json:"mac,omitempty"`
	// Known is where the address is known from: lease, host, neighbour.
	Known []string `json:"known"`
	// Confirmed is whether the guest was heard of with it a moment ago.
	Confirmed bool `json:"confirmed"`
	// Until is the end of the lease; absent if it is for ever, or there is none.
	Until *time.Time `json:"until,omitempty"`
}

func addressHeading() row {
	return row{"ADDRESS", "NETWORK", "GUEST", "HOSTNAME", "MAC", "KNOWN FROM", "CONFIRMED", "UNTIL"}
}

func (l *addressLine) cells() row {
	confirmed, until := "no", ""
	if l.Confirmed {
		confirmed = "yes"
	}
	switch {
	case l.Until != nil:
		until = l.Until.Format(time.DateTime)
	case l.Known[0] == network.FromLease.String():
		until = "for ever"
	}
	return row{l.Address, l.Network, l.Guest, l.Hostname, l.MAC, strings.Join(l.Known, ", "), confirmed, until}
}

// leases prints which addresses guests have, and where that is known from.
type leases struct{ guest string }

func (l *leases) flags(f *flag.FlagSet) {
	f.StringVar(&l.guest, "guest", "", "only those of the guest `NAME`")
}

func (l *leases) run(ctx context.Context, c *call) error {
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	if len(c.args) > 0 {
		if _, err := known(ctx, nets, c.arg(0)); err != nil {
			return err
		}
	}
	running, err := active(ctx, nets, c.args...)
	if err != nil {
		return err
	}
	found, rows := []addressLine{}, []row{addressHeading()}
	for _, n := range running {
		lines, err := addressLines(ctx, nets, n.Name)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if l.guest == "" || l.guest == line.Guest {
				found, rows = append(found, line), append(rows, line.cells())
			}
		}
	}
	return c.show(found, rows...)
}

// addressLines are the addresses of a network's guests. What several sources say of the same address and guest is one line.
func addressLines(ctx context.Context, nets *network.Manager, name string) ([]addressLine, error) {
	guests := map[string]string{}
	all, err := ports(ctx, nets, name)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		line := portLineOf(p)
		guests[line.MAC] = line.Guest
	}
	var lines []addressLine
	for a, err := range nets.Addresses(ctx, name) {
		if err != nil {
			return nil, err
		}
		line := addressLine{Network: name, Address: a.Addr.String(), Hostname: a.Hostname, Known: []string{a.Source.String()}, Confirmed: a.Confirmed}
		if !a.MAC.IsZero() {
			line.MAC = a.MAC.String()
			line.Guest = guests[line.MAC]
		}
		if !a.Expires.IsZero() {
			line.Until = &a.Expires
		}
		if last := len(lines) - 1; last >= 0 && lines[last].Address == line.Address && lines[last].MAC == line.MAC {
			lines[last].Hostname = cmp.Or(lines[last].Hostname, line.Hostname)
			lines[last].Known = append(lines[last].Known, line.Known...)
			continue
		}
		lines = append(lines, line)
	}
	return lines, nil
}
