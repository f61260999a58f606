// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// usualState is the folder of networks and ports if no other is named.
const usualState = "/var/lib/virtnet"

// A station is where the commands that work on networks of a host get it from. The zero station is the host that the
// program runs on.
type station struct {
	// errs is where progress is told.
	errs io.Writer
	// backend and store are used instead of the host and its folder, if they are given.
	backend host.Backend
	store   network.Store
}

// A job is one call of such a command.
type job struct {
	nets  *network.Manager
	out   io.Writer
	errs  io.Writer
	flags *flag.FlagSet
	json  bool
	close func()
}

// job reads the flags that all these commands have, and those that more adds, and opens the manager. There may be from
// least to most arguments besides.
func (s station) job(ctx context.Context, out io.Writer, args []string, least, most int, more func(*flag.FlagSet)) (*job, error) {
	j := &job{out: out, errs: s.errs, flags: flag.NewFlagSet("virtnet", flag.ContinueOnError), close: func() {}}
	j.flags.SetOutput(io.Discard)
	j.flags.BoolVar(&j.json, "json", false, "")
	state := j.flags.String("state", usualState, "")
	runDir := j.flags.String("run-dir", linux.DefaultRunDir, "")
	namespace := j.flags.String("netns", "", "")
	if more != nil {
		more(j.flags)
	}
	if j.flags.Parse(args) != nil || j.flags.NArg() < least || j.flags.NArg() > most {
		return nil, errUsage
	}
	backend, store := s.backend, s.store
	if backend == nil {
		b, err := linux.Open(linux.Config{Namespace: *namespace, RunDir: *runDir})
		if err != nil {
			return nil, err
		}
		j.close = func() { _ = b.Close() }
		backend = b
	}
	if store == nil {
		store = network.Dir(*state)
	}
	err := j.while("looking at what runs", func() (err error) {
		j.nets, err = network.Config{LeaveDrift: true}.Open(ctx, backend, store)
		return err
	})
	if err != nil {
		if j.nets == nil {
			j.close()
			return nil, err
		}
		fmt.Fprintln(s.errs, "virtnet:", err) // it works for the others
	}
	return j, nil
}

// while does something, and says so if that takes longer than a second.
func (j *job) while(what string, do func() error) error {
	var mu sync.Mutex
	told := false
	began := time.Now()
	timer := time.AfterFunc(time.Second, func() {
		mu.Lock()
		defer mu.Unlock()
		told = true
		fmt.Fprintf(j.errs, "virtnet: %s ...\n", what)
	})
	err := do()
	timer.Stop()
	mu.Lock()
	defer mu.Unlock()
	if told {
		fmt.Fprintf(j.errs, "virtnet: %s: %s\n", what, time.Since(began).Round(100*time.Millisecond))
	}
	return err
}

// print prints a value as JSON, indented.
func (j *job) print(value any) error {
	w := json.NewEncoder(j.out)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	return w.Encode(value)
}

// table prints lines in columns; the first is the heading.
func (j *job) table(lines [][]string) error {
	w := tabwriter.NewWriter(j.out, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		for i, cell := range line {
			if cell == "" {
				line[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	return w.Flush()
}

// show prints lines as a table, or values as JSON.
func (j *job) show(values any, lines [][]string) error {
	if j.json {
		return j.print(values)
	}
	return j.table(lines)
}

// ports are those of a network, in the order of their guests and devices.
func (j *job) ports(ctx context.Context, name string) ([]portLine, error) {
	list := []portLine{}
	for p, err := range j.nets.Ports(ctx, name) {
		if err != nil {
			return nil, err
		}
		list = append(list, portLineOf(p))
	}
	slices.SortFunc(list, func(a, b portLine) int { return cmp.Or(cmp.Compare(a.Guest, b.Guest), cmp.Compare(a.Link, b.Link)) })
	return list, nil
}

// active are the statuses of the networks that run; with a name only that one, which has to run.
func (j *job) active(ctx context.Context, name string) ([]*network.Status, error) {
	if name != "" {
		s, err := j.nets.Lookup(ctx, name)
		if err == nil && !s.Active() {
			err = fmt.Errorf("network %q: %w", name, network.ErrInactive)
		}
		if err != nil {
			return nil, err
		}
		return []*network.Status{s}, nil
	}
	var list []*network.Status
	var errs []error
	for s, err := range j.nets.All(ctx) {
		errs = append(errs, err)
		if err == nil && s.Active() {
			list = append(list, s)
		}
	}
	return list, errors.Join(errs...)
}
