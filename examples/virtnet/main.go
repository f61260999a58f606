// SPDX-License-Identifier: Apache-2.0

// Command virtnet works with libvirt's network documents, and with networks of this host, without libvirt. "virtnet help"
// tells how it is called, and docs/virtnet.md is all of that on one page.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(station{errs: os.Stderr}.run(ctx, os.Stdout, os.Args[1:]))
}

// run carries out one call and returns the exit status: 0, 1 for an error or something found, 2 for a wrong call.
func (s station) run(ctx context.Context, out io.Writer, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(s.errs, summary())
		return 2
	}
	name := args[0]
	if name == "-h" || name == "--help" || name == "-help" {
		name = "help"
	}
	of := find(name)
	if of == nil {
		fmt.Fprintf(s.errs, "virtnet: no command %q; \"virtnet help\" tells which there are\n", name)
		return 2
	}
	return s.status(of, s.carryOut(ctx, of, out, args[1:]))
}

// carryOut is one call of a command.
func (s station) carryOut(ctx context.Context, of *command, out io.Writer, args []string) (err error) {
	c, err := s.newCall(of, out, args)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(out, of.help())
		return err
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return of.verb.run(ctx, c)
}

// status tells of an error, and is the exit status.
func (s station) status(of *command, err error) int {
	switch mistake := (wrongCall{}); {
	case err == nil:
		return 0
	case errors.As(err, &mistake):
		fmt.Fprintf(s.errs, "virtnet %s: %v\nusage: %s\n", of.name, err, of.usage())
		return 2
	case !errors.Is(err, errFound):
		fmt.Fprintln(s.errs, "virtnet:", err)
	}
	return 1
}
