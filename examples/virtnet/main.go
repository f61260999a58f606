// SPDX-License-Identifier: Apache-2.0

// Command virtnet works with libvirt's network documents, and with networks of this host, without libvirt.
//
//	virtnet validate FILE...   check <network>, <interface> and <networkport> documents; --format=json for programs
//	virtnet format FILE        print a document in libvirt's layout
//	virtnet explain NETWORK INTERFACE   print what an interface gets on a network, and who decided it
//	virtnet plan FILE          print what starting a network would do on this host; nothing is changed
//	virtnet doctor [NETWORK]   print what other firewalls on this host will stop of a network's traffic, and which rule
//	virtnet demo               a NAT network with a guest on it, step by step, in network namespaces of its own
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// A command is one of the program's verbs.
type command struct {
	name, args, about string
	run               func(ctx context.Context, out io.Writer, args []string) error
}

func commands() []command {
	return []command{
		{"validate", "[--format=json] FILE...", "check documents; one line for each violation", validate},
		{"format", "FILE", "print a document in libvirt's layout", format},
		{"explain", "[--format=json] [--qemu] [NETWORK] INTERFACE", "print what an interface gets on a network, and who decided it", explain},
		{"plan", "FILE", "print what starting a network would do; nothing is changed", plan},
		{"doctor", "[--format=json] [NETWORK]", "print what other firewalls on this host will stop", doctor},
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
	var name string
	if len(args) > 0 {
		name = args[0]
	}
	for _, c := range commands() {
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
	for _, c := range commands() {
		fmt.Fprintf(errs, "  %-52s %s\n", c.name+" "+c.args, c.about)
	}
	if name == "help" || name == "-h" || name == "--help" {
		return 0
	}
	return 2
}
