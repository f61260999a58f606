// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"reflect"
	"strings"
)

// reference is a page about all commands, in Markdown.
func reference() string {
	var b strings.Builder
	b.WriteString(`# virtnet, the command-line tool

<!-- Written by "go test ./examples/virtnet -run Reference -update" from what "virtnet help" says. -->

` + "```sh\ngo build -o virtnet ./examples/virtnet && PATH=$PWD:$PATH\n```" + `

It works with libvirt's network documents, and with networks of this host, without libvirt. It is an example of what the
library can do, and nothing is in it that another program could not do with the library as well.

` + firstSteps + `
| command | |
|---|---|
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "| [%s](#%[1]s) | %s |\n", c.name, escape(c.about))
	}
	b.WriteString(conventions)
	for _, c := range commands() {
		b.WriteString(c.section())
	}
	return b.String()
}

// section is what the page says about one command.
func (of *command) section() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n```\n%s\n```\n\n%s.\n", of.name, of.usage(), escape(of.sentence()))
	if of.text != "" {
		fmt.Fprintf(&b, "%s\n", escape(of.text))
	}
	first := true
	of.options(func(f *flag.Flag) {
		if common(f.Name) {
			return
		}
		if first {
			b.WriteString("\n")
		}
		first = false
		written, about := option(f)
		fmt.Fprintf(&b, "- `%s`: %s\n", written, about+usually(f))
	})
	if of.prints != nil {
		fmt.Fprintf(&b, "\n`--json` prints %s\n", of.shape())
	}
	if len(of.examples) > 0 {
		fmt.Fprintf(&b, "\n```sh\n%s\n```\n", strings.Join(of.examples, "\n"))
	}
	return b.String()
}

// firstSteps is what TestFirstSteps does.
const firstSteps = `From nothing to a guest with an address, and back, as root; the guest is a network namespace here:

` + "```sh" + `
virtnet plan examples/virtnet/default.xml   # nothing is done yet
virtnet up examples/virtnet/default.xml
ip netns add box
echo "<interface type='network'><source network='default'/></interface>" > box.xml
virtnet attach --guest-netns /run/netns/box box.xml
ip -n box link set eth0 up
ip netns exec box busybox udhcpc -i eth0 -t 9 -q -n -s /bin/true  # the bridge and the server take seven seconds
virtnet leases
virtnet graph --format svg > networks.svg
virtnet detach vnet0
virtnet down --undefine default
` + "```" + `
`

const conventions = `
**Files and names.** Where FILE|NAME may stand, an argument with a slash in it or ".xml" at its end is a file, "-" is the
standard input, and anything else is the name of a network. Flags may stand before and after other arguments; "--" ends
them.

**State.** Networks and ports are kept in a folder, so that each call finds what the last one left, and several may run at
once: ` + "`--state DIR`, `/var/lib/virtnet`" + ` if it is not given. Files of running servers are below ` + "`--run-dir DIR`, `/run/virtnet`" + `.
` + "`--netns FILE`" + ` works in another network namespace; give it a state and a run folder of its own. There is no daemon.

**Rights.** What changes a host or looks into its networks needs root (CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN). What
only works on files needs none: validate, format, explain, and plan and graph of a file.

**Output.** Tables, or JSON with ` + "`--json`" + `. What takes longer than a second is told on the standard error output.

**Exit status.** 0; 1 for an error, or if something was found (a broken rule, drift, a barrier); 2 for a wrong call.
`

// common says whether a flag is described for all commands together.
func common(name string) bool {
	return name == "json" || name == "state" || name == "run-dir" || name == "netns"
}

// escape keeps elements in a text from being taken for HTML.
func escape(text string) string { return strings.NewReplacer("<", "\\<", "*", "\\*").Replace(text) }

// shape describes the JSON that a command prints.
func (of *command) shape() string {
	t := reflect.TypeOf(of.prints)
	array := t.Kind() == reflect.Slice
	if array {
		t = t.Elem()
	}
	object := "an object with " + keys(t)
	switch {
	case of.lines:
		return "any number of objects, one a line, with " + keys(t) + "."
	case array:
		return "an array; each element is " + object + "."
	}
	return object + "."
}

// keys are the names of a struct's fields in JSON, with a question mark for those that may be left out.
func keys(t reflect.Type) string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, keys(f.Type))
			continue
		}
		name, how, _ := strings.Cut(f.Tag.Get("json"), ",")
		if how != "" {
			name += "?"
		}
		names = append(names, "`"+name+"`")
	}
	return strings.Join(names, ", ")
}
