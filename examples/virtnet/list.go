// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
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

// What a network may be.
const (
	running  = "active"
	inactive = "inactive"
)

// networkHeading is that of the table of networks.
func networkHeading() row {
	return row{"NETWORK", "STATE", "MODE", "BRIDGE", "ADDRESSES", "AUTOSTART"}
}

func lineOf(s *network.Status) networkLine {
	line := networkLine{Name: s.Name, UUID: s.UUID.String(), State: inactive, Persistent: s.Persistent(), Autostart: s.Autostart}
	n := s.Definition
	if s.Active() {
		line.State, n, line.Since = running, s.Live, &s.Since
	}
	line.Mode, line.Bridge, line.Addresses = modeOf(n), bridgeOf(n), addresses(n)
	return line
}

// modeOf is how a network forwards, in a word.
func modeOf(n *network.Network) string {
	if n.Forward == nil {
		return "isolated"
	}
	return n.Mode().String()
}

func bridgeOf(n *network.Network) string {
	if n.Bridge == nil {
		return ""
	}
	return string(n.Bridge.Name)
}

// addresses are those of the host on a network.
func addresses(n *network.Network) []string {
	var all []string
	for i := range n.IPs {
		if prefix, ok := n.IPs[i].Prefix(); ok {
			all = append(all, prefix.String())
		}
	}
	return all
}

func (l networkLine) cells() row {
	autostart := "no"
	if l.Autostart {
		autostart = "yes"
	}
	return row{l.Name, l.State, l.Mode, l.Bridge, strings.Join(l.Addresses, " "), autostart}
}

// list prints all networks.
func list(ctx context.Context, c *call) error {
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	found, rows := []networkLine{}, []row{networkHeading()}
	var errs []error
	for status, err := range nets.All(ctx) {
		if err != nil {
			errs = append(errs, fmt.Errorf("network %q: %w", status.Name, err))
			continue
		}
		line := lineOf(status)
		found, rows = append(found, line), append(rows, line.cells())
	}
	return errors.Join(append(errs, c.show(found, rows...))...)
}

// A portLine is a port as a line of a table, or an object of JSON.
type portLine struct {
	Network string `json:"network,omitempty"`
	Port    string `json:"port"`
	Guest   string `json:"guest"`
	Link    string `json:"link,omitempty"`
	// Into is the bridge or the device of the host that it is plugged into.
	Into   string `json:"into,omitempty"`
	MAC    string `json:"mac,omitempty"`
	Rates  string `json:"rates,omitempty"`
	Broken string `json:"broken,omitempty"`
}

func portHeading() row { return row{"PORT", "NETWORK", "GUEST", "DEVICE", "INTO", "MAC", "RATES"} }

func portLineOf(p *network.PortStatus) portLine {
	line := portLine{
		Network: p.Network, Port: p.Port.UUID.String(), Guest: guestOf(p), Link: p.Link, Into: into(p.Port.Plug), Rates: rates(p.Port.Bandwidth), Broken: p.Broken,
	}
	if p.Port.MAC != nil {
		line.MAC = p.Port.MAC.Address.String()
	}
	return line
}

// into is what a plug is plugged into.
func into(p *network.Plug) string {
	switch {
	case p == nil:
		return ""
	case p.Bridge != "":
		return p.Bridge.String()
	case p.Address != nil:
		return p.Address.String()
	}
	return p.Dev.String()
}

func (p *portLine) cells() row {
	return row{p.Port, p.Network, p.Guest, p.Link, p.Into, p.MAC, p.Rates}
}

// A networkPage is all that is known of one network.
type networkPage struct {
	networkLine
	Ports    []portLine `json:"ports"`
	Built    host.Plan  `json:"built,omitempty"`
	Document string     `json:"document"`
}

// show prints all that is known of one network: its ports, what was done for it, and its document.
func show(ctx context.Context, c *call) error {
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	status, err := known(ctx, nets, c.arg(0))
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
	all, err := ports(ctx, nets, status.Name)
	if err != nil {
		return err
	}
	page := networkPage{networkLine: lineOf(status), Ports: []portLine{}, Built: status.Built, Document: string(text)}
	rows := []row{portHeading()}
	for _, p := range all {
		line := portLineOf(p)
		page.Ports, rows = append(page.Ports, line), append(rows, line.cells())
	}
	if c.json {
		return c.print(page)
	}
	if err := table(c.out, "", networkHeading(), page.cells()); err != nil {
		return err
	}
	if len(all) > 0 {
		fmt.Fprintln(c.out)
		if err := table(c.out, "", rows...); err != nil {
			return err
		}
	}
	for _, p := range page.Ports {
		if p.Broken != "" {
			fmt.Fprintf(c.out, "port %s is broken: %s\n", p.Port, p.Broken)
		}
	}
	fmt.Fprintf(c.out, "\n%s", text)
	if len(page.Built) > 0 {
		fmt.Fprintf(c.out, "\n%s", page.Built)
	}
	return nil
}
