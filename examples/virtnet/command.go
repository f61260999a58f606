// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A verb is what a command does: it takes flags of its own, and runs.
type verb interface {
	flags(f *flag.FlagSet)
	run(ctx context.Context, c *call) error
}

// A plain verb has no flags of its own.
type plain func(ctx context.Context, c *call) error

func (plain) flags(*flag.FlagSet) {}

func (p plain) run(ctx context.Context, c *call) error { return p(ctx, c) }

// A command is a verb with all that help and the reference say about it.
type command struct {
	name string
	// args are the arguments as people read them, of which there are from least to most; any number if most is negative.
	args        string
	least, most int
	// about is one line, text is what else there is to say, in paragraphs.
	about, text string
	examples    []string
	// prints is a value such as --json prints; nil takes no --json.
	prints any
	// lines is whether --json prints any number of such values, one a line, or else just one.
	lines bool
	// host is whether the command looks at a host, and state whether it needs what is known of the host's networks.
	host, state bool
	verb        verb
}

// errFound is that something was found, and printed.
var errFound = errors.New("something was found")

// A wrongCall is a mistake of who called the program.
type wrongCall struct{ error }

func wrong(format string, args ...any) error { return wrongCall{fmt.Errorf(format, args...)} }

// A call is one call of a command.
type call struct {
	station
	out                     io.Writer
	args                    []string
	json                    bool
	stateDir, runDir, netns string
	closers                 []func() error
}

// flagSet is the flags of a command, which set a call.
func (c *call) flagSet(of *command) *flag.FlagSet {
	f := flag.NewFlagSet(of.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	of.verb.flags(f)
	if of.prints != nil {
		f.BoolVar(&c.json, "json", false, "print JSON")
	}
	if of.host {
		f.StringVar(&c.netns, "netns", "", "work in the network namespace of that `FILE`, such as /run/netns/lab")
		f.StringVar(&c.runDir, "run-dir", linux.DefaultRunDir, "keep the files of running servers in `DIR`")
	}
	if of.state {
		f.StringVar(&c.stateDir, "state", usualState, "keep networks and ports in `DIR`")
	}
	return f
}

// newCall reads the arguments of a command. Flags may stand before and after the others, up to "--".
func (s station) newCall(of *command, out io.Writer, args []string) (*call, error) {
	c := &call{station: s, out: out}
	f := c.flagSet(of)
	if of.prints != nil && f.Lookup("format") == nil {
		f.Func("format", "", func(layout string) error { // as it was said at first
			c.json = layout == "json"
			if !c.json && layout != "text" {
				return errors.New("neither text nor json")
			}
			return nil
		})
	}
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, wrong("%w", err)
		}
		read := args[:len(args)-f.NArg()]
		if f.NArg() == 0 || len(read) > 0 && read[len(read)-1] == "--" {
			c.args = append(c.args, f.Args()...)
			break
		}
		c.args, args = append(c.args, f.Arg(0)), f.Args()[1:]
	}
	return c, of.count(c.args)
}

// count says whether there are as many arguments as there should be.
func (of *command) count(args []string) error {
	switch {
	case len(args) < of.least && len(args) == 0:
		return wrong("%s is missing", of.args)
	case len(args) < of.least, of.most >= 0 && len(args) > of.most:
		return wrong("too many or too few arguments: %s", strings.Join(args, " "))
	}
	for _, arg := range args {
		if arg == "" {
			return wrong("an argument is empty")
		}
	}
	return nil
}

// arg is the argument of that number, empty if it was left out.
func (c *call) arg(i int) string {
	if i < len(c.args) {
		return c.args[i]
	}
	return ""
}

// commands are all there are, in the order of the reference.
func commands() []*command {
	return []*command{
		{name: "validate", args: "FILE...", least: 1, most: -1, about: "check documents",
			text: "Checks <network>, <interface> and <networkport> documents, and prints FILE:LINE: PATH: MESSAGE [RULE] for each rule that\n" +
				"is broken. It needs no rights and looks at no host. What the rules are for is in docs/rules.md.",
			examples: []string{"virtnet validate *.xml", "virtnet validate --json net.xml | jq -r .rule"},
			prints:   finding{}, lines: true, verb: plain(validate)},
		{name: "format", args: "FILE", least: 1, most: 1, about: "print a document in libvirt's layout",
			text: "What breaks a rule is printed all the same; what cannot be read is told as validate does.",
			verb: plain(format)},
		{name: "explain", args: "[NETWORK] INTERFACE", least: 1, most: 2, about: "print what an interface gets on a network, and who decided it",
			text:     "Both are files. Each line is a setting, its value, and whether the interface, the port group or the network decided it.",
			examples: []string{"virtnet explain net.xml nic.xml"},
			prints:   settingLine{}, lines: true, verb: &explain{}},
		{name: "plan", args: "FILE|NAME", least: 1, most: 1, about: "print what starting a network would do; nothing is changed",
			text: "Each step has the place in the document that asks for it. Of a network that runs it prints the steps that do not hold\n" +
				"any more. Without the right to look at this host, a file is planned for a machine in memory; the heading says so.",
			examples: []string{"virtnet plan net.xml"},
			prints:   planPage{}, host: true, state: true, verb: plain(plan)},
		{name: "up", args: "[FILE|NAME]", most: 1, about: "define the network in a file, or take a defined one, and start it",
			text: "All of it is done, or nothing. A network that is defined already is defined anew; one that runs stays as it is until it\n" +
				"is stopped. Without an argument, the networks are started that --autostart has marked, and all are listed (so that\n" +
				"--json prints an array): that is for when the host has started.",
			examples: []string{"virtnet up net.xml", "virtnet up --autostart default", "virtnet up"},
			prints:   networkLine{}, host: true, state: true, verb: &up{}},
		{name: "down", args: "NAME", least: 1, most: 1, about: "stop a network",
			text:   "Its ports stay known, and are plugged in again when it is started. With --undefine there may be none.",
			prints: networkLine{}, host: true, state: true, verb: &down{}},
		{name: "list", about: "list all networks", prints: []networkLine{}, host: true, state: true, verb: plain(list)},
		{name: "show", args: "NAME", least: 1, most: 1, about: "print all about one network: its ports, its document, and what was done for it",
			prints: networkPage{}, host: true, state: true, verb: plain(show)},
		{name: "attach", args: "FILE", least: 1, most: 1, about: "connect the <interface> of a guest",
			text: "It prints the device that was made. The guest opens a tap by its name; a namespace gets a network card.\n" +
				"The guest is called like the file if it is not named.",
			examples: []string{"virtnet attach --guest web nic.xml", "ip netns add box && virtnet attach --guest-netns /run/netns/box box.xml"},
			prints:   portLine{}, host: true, state: true, verb: &attach{}},
		{name: "detach", args: "UUID|DEVICE", least: 1, most: 1, about: "take a port away", prints: portLine{}, host: true, state: true, verb: plain(detach)},
		{name: "leases", args: "[NAME]", most: 1, about: "print which addresses guests have, and where that is known from",
			text: "An address is known from the lease that the network's server gave out, from a <host> of the document, and from the\n" +
				"neighbours that this host has talked with. It is confirmed if the guest was heard of with it a moment ago. Without a\n" +
				"name, those of all networks that run are printed.",
			examples: []string{"virtnet leases default", "virtnet leases --json --guest web | jq -r '.[].address'"},
			prints:   []addressLine{}, host: true, state: true, verb: &leases{}},
		{name: "check", args: "[NAME]", most: 1, about: "print what has drifted of what runs",
			text:   "Each line after the first is a step that does not hold any more. The exit status is 1 if there is any.",
			prints: []network.Drift{}, host: true, state: true, verb: &drift{only: true}},
		{name: "repair", args: "[NAME]", most: 1, about: "repair what has drifted",
			examples: []string{"virtnet repair --dry-run", "virtnet repair --watch"},
			prints:   []network.Drift{}, host: true, state: true, verb: &drift{}},
		{name: "doctor", args: "[FILE|NAME]", most: 1, about: "print what other firewalls on this host will stop of a network's traffic",
			text: "It names the chain and the rule. Without an argument it asks about the network that most hosts have, libvirt's default.\n" +
				"The exit status is 1 if anything stands in the way.",
			examples: []string{"virtnet doctor lan", "virtnet doctor net.xml"},
			prints:   diagnosis{}, host: true, state: true, verb: plain(doctor)},
		{name: "graph", args: "[NAME|FILE...]", most: -1, about: "draw uplinks, networks, guests and rates",
			text:     "Draws the networks that run, or those that are named. Of a file it draws what would run; that needs no rights.",
			examples: []string{"virtnet graph --format svg > networks.svg", "virtnet graph net.xml"},
			prints:   picture{}, host: true, state: true, verb: &graph{}},
		{name: "demo", about: "show a NAT network with a guest on it, step by step, in network namespaces of its own",
			text: "As root on Linux the kernel does it, and nothing else on the machine is touched; otherwise it is a machine in memory.",
			verb: plain(demo)},
		{name: "help", args: "[COMMAND]", most: 1, about: "print how commands are called", verb: plain(help)},
	}
}

// find is the command of that name, nil if there is none.
func find(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return c
		}
	}
	return nil
}
