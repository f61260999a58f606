// SPDX-License-Identifier: Apache-2.0

// Command virtnet works with libvirt's network documents, and with networks of this host, without libvirt.
//
//	virtnet validate FILE...   check <network>, <interface> and <networkport> documents; --format=json for programs
//	virtnet format FILE        print a document in libvirt's layout
//	virtnet explain NETWORK INTERFACE   print what an interface gets on a network, and who decided it
//	virtnet plan FILE          print what starting a network would do on this host; nothing is changed
//	virtnet doctor [NETWORK]   print what other firewalls on this host will stop of a network's traffic, and which rule
//
// On networks of a host; what they are is kept in the folder --state, so that each call finds what the last one left:
//
//	virtnet up FILE|NAME        define the network in a file, or take a defined one, and start it
//	virtnet down NAME           stop a network; --undefine forgets it as well
//	virtnet list                all networks
//	virtnet show NAME           one network: its ports, its document, and what was done for it
//	virtnet attach FILE         connect the <interface> of a guest
//	virtnet detach PORT         take a port away, by its uuid or device
//	virtnet leases [NAME]       the addresses that were given out
//	virtnet check [NAME]        what has drifted of what runs
//	virtnet repair [NAME]       repair that; --watch does so as it happens
//	virtnet graph [NAME]        draw uplinks, networks, ports and rates as Mermaid or SVG
//
// All of these print tables, or JSON with --json, and tell progress on the standard error output. The exit status is 0,
// or 1 for an error or something found, or 2 for a wrong call.
//
//	virtnet demo               a NAT network with a guest on it, step by step, in network namespaces of its own
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// A command is one of the program's verbs.
type command struct {
	name, args, about string
	run               func(ctx context.Context, out io.Writer, args []string) error
}

func commands(s station) []command {
	const where = "[--json] [--state DIR] [--run-dir DIR] [--netns FILE] "
	return []command{
		{"validate", "[--format=json] FILE...", "check documents; one line for each violation", validate},
		{"format", "FILE", "print a document in libvirt's layout", format},
		{"explain", "[--format=json] [--qemu] [NETWORK] INTERFACE", "print what an interface gets on a network, and who decided it", explain},
		{"plan", "FILE", "print what starting a network would do; nothing is changed", plan},
		{"doctor", "[--format=json] [NETWORK]", "print what other firewalls on this host will stop", doctor},
		{"up", where + "[--autostart] FILE|NAME", "define the network in a file, or take a defined one, and start it", s.up},
		{"down", where + "[--idle] [--undefine] NAME", "stop a network; --idle refuses one with ports", s.down},
		{"list", where, "all networks", s.list},
		{"show", where + "NAME", "one network: its ports, its document, and what was done for it", s.showNetwork},
		{"attach", where + "--guest NAME [--guest-netns FILE] FILE", "connect the <interface> of a guest", s.attach},
		{"detach", where + "UUID|DEVICE", "take a port away", s.detach},
		{"leases", where + "[NAME]", "the addresses that were given out", s.leases},
		{"check", where + "[NAME]", "what has drifted of what runs; status 1 if anything has", s.check},
		{"repair", where + "[--dry-run | --watch] [NAME]", "repair what has drifted; --watch does so as it happens", s.repair},
		{"graph", where + "[--format mermaid|svg] [NAME]", "draw uplinks, networks, ports and rates", s.graph},
		{"demo", "", "a NAT network with a guest on it, in namespaces of its own", demo},
	}
}

// errUsage is a wrong call; errFound is that violations were found and printed.
var (
	errUsage = errors.New("wrong arguments")
	errFound = errors.New("violations found")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Stdout, os.Stderr, os.Args[1:]))
}

// run carries out one call and returns the exit status: 0, 1 for an error or violations, 2 for a wrong call.
func run(ctx context.Context, out, errs io.Writer, args []string) int {
	return station{errs: errs}.run(ctx, out, args)
}

// run is run at a station.
func (s station) run(ctx context.Context, out io.Writer, args []string) int {
	errs, all := s.errs, commands(s)
	var name string
	if len(args) > 0 {
		name = args[0]
	}
	for _, c := range all {
		if c.name != name {
			continue
		}
		err := c.run(ctx, out, args[1:])
		switch {
		case err == nil:
			return 0
		case errors.Is(err, errUsage):
			fmt.Fprintf(errs, "usage: virtnet %s %s\n", c.name, c.args)
			return 2
		case !errors.Is(err, errFound):
			fmt.Fprintln(errs, "virtnet:", err)
		}
		return 1
	}
	fmt.Fprintln(errs, "usage: virtnet COMMAND ...")
	for _, c := range all {
		fmt.Fprintf(errs, "  %s\n      %s\n", strings.TrimSpace(c.name+" "+c.args), c.about)
	}
	if name == "help" || name == "-h" || name == "--help" {
		return 0
	}
	return 2
}
