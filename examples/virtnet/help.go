// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

// summary is a line for each command.
func summary() string {
	var b strings.Builder
	b.WriteString("virtnet works with libvirt's network documents, and with networks of this host, without libvirt.\n\nusage: virtnet COMMAND [FLAGS] [ARGUMENTS]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.about)
	}
	b.WriteString("\n\"virtnet help COMMAND\" tells more about each.\n")
	return b.String()
}

// help prints how one command is called, or which there are.
func help(_ context.Context, c *call) error {
	text := summary()
	if name := c.arg(0); name != "" {
		of := find(name)
		if of == nil {
			return wrong("no command %q", name)
		}
		text = of.help()
	}
	_, err := io.WriteString(c.out, text)
	return err
}

// option is a flag as it is written: --json, --state DIR.
func option(f *flag.Flag) (written, about string) {
	value, about := flag.UnquoteUsage(f)
	return strings.TrimSpace("--" + f.Name + " " + value), about
}

// options calls do for each flag that is told of: those of the command's own first.
func (of *command) options(do func(f *flag.Flag)) {
	own := flag.NewFlagSet(of.name, flag.ContinueOnError)
	of.verb.flags(own)
	own.VisitAll(do)
	(&call{}).flagSet(of).VisitAll(func(f *flag.Flag) {
		if own.Lookup(f.Name) == nil {
			do(f)
		}
	})
}

// usage is how a command is written.
func (of *command) usage() string {
	words := []string{"virtnet", of.name}
	of.options(func(f *flag.Flag) {
		written, _ := option(f)
		words = append(words, "["+written+"]")
	})
	if of.args != "" {
		words = append(words, of.args)
	}
	return strings.Join(words, " ")
}

// help is all there is to say about a command.
func (of *command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s\n\n%s.\n", of.usage(), of.sentence())
	if of.text != "" {
		fmt.Fprintf(&b, "\n%s\n", of.text)
	}
	heading := "\n"
	of.options(func(f *flag.Flag) {
		written, about := option(f)
		fmt.Fprintf(&b, "%s  %-18s %s\n", heading, written, about+usually(f))
		heading = ""
	})
	if len(of.examples) > 0 {
		fmt.Fprintf(&b, "\nfor example:\n  %s\n", strings.Join(of.examples, "\n  "))
	}
	return b.String()
}

// sentence is what a command is about, beginning with a capital letter.
func (of *command) sentence() string { return strings.ToUpper(of.about[:1]) + of.about[1:] }

// usually is the default of a flag, if there is one to speak of.
func usually(f *flag.Flag) string {
	if f.DefValue == "" || f.DefValue == "false" {
		return ""
	}
	return " (" + f.DefValue + " if it is not given)"
}
