// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// A networkLine is a network as a line of a table, or an object of JSON.
type networkLine struct {
	Name       string     `json:"name"`
	UUID       string     `json:"uuid"`
	State      string     `json:"state"`
	Mode       string     `json:"mode"`
	Bridge     string     `json:"bridge,omitempty"`
	Addresses  []string   `json:"addresses,omitempty"`
	Persistent bool       `json:"persistent"`
	Autostart  bool       `json:"autostart"`
	Since      *time.Time `json:"since,omitempty"`
}

// networkHeading is that of the table of networks.
func networkHeading() []string {
	return []string{"NETWORK", "STATE", "MODE", "BRIDGE", "ADDRESSES", "AUTOSTART"}
}

func lineOf(s *network.Status) networkLine {
	line := networkLine{Name: s.Name, UUID: s.UUID.String(), State: "inactive", Persistent: s.Persistent(), Autostart: s.Autostart}
	n := s.Definition
	if s.Active() {
		line.State, n, line.Since = "active", s.Live, &s.Since
	}
	line.Mode = n.Mode().String()
	if n.Forward == nil {
		line.Mode = "isolated"
	}
	if n.Bridge != nil {
		line.Bridge = string(n.Bridge.Name)
	}
	line.Addresses = strings.Fields(addresses(n))
	return line
}

func (l networkLine) cells() []string {
	autostart := "no"
	if l.Autostart {
		autostart = "yes"
	}
	return []string{l.Name, l.State, l.Mode, l.Bridge, strings.Join(l.Addresses, " "), autostart}
}

// list prints all networks.
func (s station) list(ctx context.Context, out io.Writer, args []string) error {
	j, err := s.job(ctx, out, args, 0, 0, nil)
	if err != nil {
		return err
	}
	defer j.close()
	found, lines := []networkLine{}, [][]string{networkHeading()}
	var errs []error
	for status, err := range j.nets.All(ctx) {
		if err != nil {
			errs = append(errs, fmt.Errorf("network %q: %w", status.Name, err))
			continue
		}
		found = append(found, lineOf(status))
		lines = append(lines, lineOf(status).cells())
	}
	return errors.Join(append(errs, j.show(found, lines))...)
}

// A portLine is a port as a line of a table, or an object of JSON.
type portLine struct {
	Network string `json:"network,omitempty"`
	Port    string `json:"port"`
	Guest   string `json:"guest"`
	Link    string `json:"link,omitempty"`
	MAC     string `json:"mac,omitempty"`
	Rates   string `json:"rates,omitempty"`
	Broken  string `json:"broken,omitempty"`
}

func portHeading() []string { return []string{"PORT", "NETWORK", "GUEST", "DEVICE", "MAC", "RATES"} }

func portLineOf(p *network.PortStatus) portLine {
	line := portLine{Network: p.Network, Port: p.Port.UUID.String(), Link: p.Link, Rates: rates(p.Port.Bandwidth), Broken: p.Broken}
	if p.Port.Owner != nil {
		line.Guest = p.Port.Owner.Name
	}
	if p.Port.MAC != nil {
		line.MAC = p.Port.MAC.Address.String()
	}
	return line
}

func (l portLine) cells() []string {
	return []string{l.Port, l.Network, l.Guest, l.Link, l.MAC, l.Rates}
}

// A networkPage is all that is known of one network.
type networkPage struct {
	networkLine
	Ports    []portLine `json:"ports"`
	Built    host.Plan  `json:"built,omitempty"`
	Document string     `json:"document"`
}

// showNetwork prints all that is known of one network: its ports, what was done for it, and its document.
func (s station) showNetwork(ctx context.Context, out io.Writer, args []string) error {
	j, err := s.job(ctx, out, args, 1, 1, nil)
	if err != nil {
		return err
	}
	defer j.close()
	status, err := j.nets.Lookup(ctx, j.flags.Arg(0))
	if err != nil {
		return err
	}
	n := status.Definition
	if status.Active() {
		n = status.Live
	}
	text, err := n.Format()
	if err != nil {
		return err
	}
	ports, err := j.ports(ctx, status.Name)
	if err != nil {
		return err
	}
	page := networkPage{networkLine: lineOf(status), Ports: ports, Built: status.Built, Document: string(text)}
	lines := [][]string{portHeading()}
	for _, p := range ports {
		lines = append(lines, p.cells())
	}
	if j.json {
		return j.print(page)
	}
	if err := j.table([][]string{networkHeading(), page.cells()}); err != nil {
		return err
	}
	if len(page.Ports) > 0 {
		fmt.Fprintln(out)
		if err := j.table(lines); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%s", text)
	if len(page.Built) > 0 {
		fmt.Fprintf(out, "\n%s", page.Built)
	}
	return nil
}
