// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A printer prints the violations of a file and returns errFound; any other error it returns.
type printer func(out io.Writer, file string, err error) error

// A finding is a violation as a line of JSON. Line and Column are counted from 1, Column in bytes; 0 is not known.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// printJSON prints violations as JSON, one object a line.
func printJSON(out io.Writer, file string, err error) error {
	var violations schema.Violations
	if !errors.As(err, &violations) {
		return err
	}
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for _, v := range violations {
		if err := lines.Encode(finding{file, v.Line, v.Column, v.Path, v.Rule, v.Msg}); err != nil {
			return err
		}
	}
	return errFound
}

// validate checks documents and prints a line for each violation: for a person or, with --format=json, for a program.
func validate(_ context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	layout := flags.String("format", "text", "")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	show, ok := map[string]printer{"text": printViolations, "json": printJSON}[*layout]
	files := flags.Args()
	if !ok || len(files) == 0 {
		return errUsage
	}
	found := false
	var failed []error // what is no violation: a file that is not there
	for _, file := range files {
		if _, err := check(file); err != nil {
			if err = show(out, file, err); errors.Is(err, errFound) {
				found = true
				continue
			}
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if found {
		return errFound
	}
	return nil
}

// format prints a document in libvirt's layout. What breaks a rule is printed all the same; what cannot be read is not.
func format(_ context.Context, out io.Writer, files []string) error {
	if len(files) != 1 {
		return errUsage
	}
	d, err := read(files[0])
	if err != nil {
		return printViolations(out, files[0], err)
	}
	text, err := d.Format()
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}
