// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/go-virtnet/virtnet/network"
)

// commands are all there are, in the order of the reference.
func commands() []*command {
	return slices.Concat(onDocuments(), onHost(onNetworks(), onPorts(), onWhatRuns()), []*command{
		{
			name: "demo", about: "show a NAT network with a guest on it, step by step, in network namespaces of its own",
			text: "As root on Linux the kernel does it, and nothing else on the machine is touched; otherwise it is a machine in memory.",
			verb: plain(demo),
		},
		{name: "help", args: "[COMMAND]", most: 1, about: "print how commands are called", verb: plain(help)},
	})
}

// onHost are commands that look at a host.
func onHost(groups ...[]*command) []*command {
	all := slices.Concat(groups...)
	for _, c := range all {
		c.host = true
	}
	return all
}

// onDocuments are the commands that need only files.
func onDocuments() []*command {
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
	}
}

// onNetworks are the commands that start and stop networks.
func onNetworks() []*command {
	return []*command{
		{name: "plan", args: "FILE|NAME", least: 1, most: 1, about: "print what starting a network would do; nothing is changed",
			text: "Each step has the place in the document that asks for it. Of a network that runs it prints the steps that do not hold\n" +
				"any more. Without the right to look at this host, a file is planned for a machine in memory; the heading says so.",
			examples: []string{"virtnet plan net.xml"},
			prints:   planPage{}, verb: plain(plan)},
		{name: "up", args: "[FILE|NAME]", most: 1, about: "define the network in a file, or take a defined one, and start it",
			text: "All of it is done, or nothing, but for what a network is whole without, such as names for the host's resolver: what was\n" +
				"left out is said, with the reason. A network that is defined already is defined anew; one that runs stays as it is until\n" +
				"it is stopped. Without an argument, the networks are started that --autostart has marked, and all are listed (so that\n" +
				"--json prints an array): that is for when the host has started.",
			examples: []string{"virtnet up net.xml", "virtnet up --autostart default", "virtnet up"},
			prints:   networkLine{}, verb: &up{}},
		{name: "down", args: "NAME", least: 1, most: 1, about: "stop a network",
			text:   "Its ports stay known, and are plugged in again when it is started. With --undefine there may be none.",
			prints: networkLine{}, verb: &down{}},
		{name: "adopt", args: "NAME", least: 1, most: 1, about: "take over a network that libvirt runs, with its guests",
			text: "Nothing that guests send or get is lost. Libvirt's daemon has to be stopped meanwhile, which does not touch networks and\n" +
				"guests, and does not know the network any more when it comes back; definitions of guests then name the bridge.\n" +
				"All of it is done, or nothing.",
			examples: []string{"virtnet adopt --dry-run default",
				"systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd && virtnet adopt default; systemctl start libvirtd.socket libvirtd"},
			prints: adoptPage{}, verb: &adopt{}},
		{name: "list", about: "list all networks", prints: []networkLine{}, verb: plain(list)},
		{name: "show", args: "NAME", least: 1, most: 1, about: "print all about one network: its ports, its document, and what was done for it",
			prints: networkPage{}, verb: plain(show)},
	}
}

// onPorts are the commands for guests.
func onPorts() []*command {
	return []*command{
		{name: "attach", args: "FILE", least: 1, most: 1, about: "connect the <interface> of a guest",
			text: "It prints the device that was made. The guest opens a tap by its name; a namespace gets a network card.\n" +
				"The guest is called like the file if it is not named.",
			examples: []string{"virtnet attach --guest web nic.xml", "ip netns add box && virtnet attach --guest-netns /run/netns/box box.xml"},
			prints:   portLine{}, verb: &attach{}},
		{name: "detach", args: "UUID|DEVICE", least: 1, most: 1, about: "take a port away", prints: portLine{}, verb: plain(detach)},
		{name: "leases", args: "[NAME]", most: 1, about: "print which addresses guests have, and where that is known from",
			text: "An address is known from the lease that the network's server gave out, from a <host> of the document, and from the\n" +
				"neighbours that this host has talked with. It is confirmed if the guest was heard of with it a moment ago. Without a\n" +
				"name, those of all networks that run are printed.",
			examples: []string{"virtnet leases default", "virtnet leases --json --guest web | jq -r '.[].address'"},
			prints:   []addressLine{}, verb: &leases{}},
	}
}

// onWhatRuns are the commands that tell how things stand.
func onWhatRuns() []*command {
	return []*command{
		{name: "check", args: "[NAME]", most: 1, about: "print what has drifted of what runs",
			text:   "Each line after the first is a step that does not hold any more. The exit status is 1 if there is any.",
			prints: []network.Drift{}, verb: &drift{only: true}},
		{name: "repair", args: "[NAME]", most: 1, about: "repair what has drifted",
			examples: []string{"virtnet repair --dry-run", "virtnet repair --watch"},
			prints:   []network.Drift{}, verb: &drift{}},
		{name: "doctor", args: "[FILE|NAME]", most: 1, about: "print what other firewalls on this host will stop of a network's traffic",
			text: "It names the chain and the rule, or the parameter of the kernel. Without an argument it asks about the network that most hosts have, libvirt's default.\n" +
				"The exit status is 1 if anything stands in the way.",
			examples: []string{"virtnet doctor lan", "virtnet doctor net.xml"},
			prints:   diagnosis{}, verb: plain(doctor)},
		{name: "graph", args: "[NAME|FILE...]", most: -1, about: "draw uplinks, networks, guests and rates",
			text:     "Draws the networks that run, or those that are named. Of a file it draws what would run; that needs no rights.",
			examples: []string{"virtnet graph --format svg > networks.svg", "virtnet graph net.xml"},
			prints:   picture{}, verb: &graph{}},
	}
}
