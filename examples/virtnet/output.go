// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/go-virtnet/virtnet/network/schema"
)

// print prints a value as JSON, indented.
func (c *call) print(value any) error {
	w := json.NewEncoder(c.out)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	return w.Encode(value)
}

// line prints a value as JSON on one line.
func (c *call) line(value any) error {
	w := json.NewEncoder(c.out)
	w.SetEscapeHTML(false)
	return w.Encode(value)
}

// A row is a line of a table; the first is the heading.
type row []string

// table prints rows in columns, each behind an indent.
func table(out io.Writer, indent string, rows ...row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		cells := make([]string, len(r))
		for i, cell := range r {
			cells[i] = oneLine(cell)
		}
		fmt.Fprintln(w, indent+strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// oneLine is a cell of a table: a text without what would break the table, or a dash.
func oneLine(cell string) string {
	if cell == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, cell)
}

// show prints rows as a table, or values as JSON.
func (c *call) show(values any, rows ...row) error {
	if c.json {
		return c.print(values)
	}
	return table(c.out, "", rows...)
}

// A finding is a violation as a line of JSON. Line and Column are counted from 1, Column in bytes; 0 is not known.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

// violations prints what is wrong with a file and returns errFound; any other error it returns. For people it is
// FILE:LINE: PATH: MESSAGE [RULE], a line each, and for programs an object a line.
func (c *call) violations(file string, err error) error {
	var violations schema.Violations
	if !errors.As(err, &violations) {
		return err
	}
	for _, v := range violations {
		if !c.json {
			fmt.Fprintf(c.out, "%s:%d: %s: %s [%s]\n", file, v.Line, v.Path, v.Msg, v.Rule)
		} else if err := c.line(finding{file, v.Line, v.Column, v.Path, v.Rule, v.Msg}); err != nil {
			return err
		}
	}
	return errFound
}

// while does something, and says so if that takes longer than a second.
func (c *call) while(what string, do func() error) error {
	now, after := c.now, c.after
	if now == nil {
		now = time.Now
	}
	if after == nil {
		after = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	var mu sync.Mutex
	told := false
	began := now()
	stop := after(time.Second, func() {
		mu.Lock()
		defer mu.Unlock()
		told = true
		fmt.Fprintf(c.errs, "virtnet: %s ...\n", what)
	})
	err := do()
	stop()
	mu.Lock()
	defer mu.Unlock()
	if told {
		fmt.Fprintf(c.errs, "virtnet: %s: %s\n", what, now().Sub(began).Round(100*time.Millisecond))
	}
	return err
}
