// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A settingLine is a setting as a line of JSON. By is one of default, interface, network, portgroup and generated. A dropped
// one was given in vain.
type settingLine struct {
	Setting string       `json:"setting"`
	Value   string       `json:"value"`
	By      schema.Layer `json:"by"`
	Path    string       `json:"path,omitempty"`
	Dropped bool         `json:"dropped,omitempty"`
}

// explain prints what an interface gets on a network, and who decided it; an interface on no network stands alone.
func explain(_ context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	layout := flags.String("format", "text", "")
	qemu := flags.Bool("qemu", false, "")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	show, ok := map[string]printer{"text": printViolations, "json": printJSON}[*layout]
	files := flags.Args()
	if !ok || len(files) == 0 || len(files) > 2 {
		return errUsage
	}
	on := domainiface.Hypervisor{}
	if *qemu {
		on = domainiface.QEMU()
	}
	n, i, err := readPair(out, show, files)
	if err != nil {
		return err
	}
	e, err := domainiface.Explain(i, n, on, schema.Rules{})
	if err != nil {
		return printRefusal(out, show, files, n, i, err)
	}
	if *layout == "json" {
		return printSettings(out, e)
	}
	_, err = fmt.Fprint(out, e)
	return err
}

// readPair reads a network, if there are two files, and an interface, and checks each by itself.
func readPair(out io.Writer, show printer, files []string) (n *network.Network, i *domainiface.Interface, err error) {
	for at, file := range files {
		d, err := check(file)
		if err != nil {
			return nil, nil, show(out, file, err)
		}
		want, is := "<interface>", false
		if at == len(files)-1 {
			i, is = d.(*domainiface.Interface)
		} else {
			want = "<network>"
			n, is = d.(*network.Network)
		}
		if !is {
			return nil, nil, fmt.Errorf("%s is no %s", file, want)
		}
	}
	return n, i, nil
}

// printRefusal prints why the interface cannot be attached to the network, with the place in the document concerned.
func printRefusal(out io.Writer, show printer, files []string, n *network.Network, i *domainiface.Interface, err error) error {
	file, source := files[len(files)-1], i.Origin
	if n != nil && strings.HasPrefix(err.Error(), "/network/") {
		file, source = files[0], n.Source
	}
	var one *schema.Violation
	if all := (schema.Violations)(nil); !errors.As(err, &all) && errors.As(err, &one) {
		v := *one
		v.Line, v.Column = source.Place(v.Path)
		err = schema.Violations{&v}
	}
	return show(out, file, err)
}

// printSettings prints settings as JSON, one object a line.
func printSettings(out io.Writer, e *domainiface.Explanation) error {
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for _, s := range e.Settings {
		if err := lines.Encode(settingLine{s.Name, s.Value, s.Layer, s.Path, false}); err != nil {
			return err
		}
	}
	for _, s := range e.Dropped {
		if err := lines.Encode(settingLine{s.Name, s.Value, s.Layer, s.Path, true}); err != nil {
			return err
		}
	}
	return nil
}
