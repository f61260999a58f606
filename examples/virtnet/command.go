// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

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
	// host is whether the command looks at a host and its networks.
	host bool
	verb verb
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
	case len(args) < of.least:
		return wrong("%s is missing", of.args)
	case of.most >= 0 && len(args) > of.most:
		return wrong("too many arguments: %s", strings.Join(args, " "))
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

// find is the command of that name, nil if there is none.
func find(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return c
		}
	}
	return nil
}
