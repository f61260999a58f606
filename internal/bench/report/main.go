// SPDX-License-Identifier: Apache-2.0

// Report makes a page of what the benchmarks of internal/bench print: a table, and a picture of cost against size.
//
//	go test -run '^$' -bench . ./internal/bench | go run ./internal/bench/report -page docs/performance.md
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	page := flag.String("page", "", "write the page to `FILE`, and its picture beside it")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *page); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// run prints the table, and writes the page if it has a name.
func run(in io.Reader, out io.Writer, page string) error {
	results, machine, err := read(in)
	if err != nil {
		return err
	}
	if len(results) == 0 {
		return errors.New("no benchmark said what it compared with what")
	}
	results = append(results, shares(results)...)
	rows := judge(results)
	if _, err := io.WriteString(out, table(rows)); err != nil || page == "" {
		return err
	}
	picture := strings.TrimSuffix(page, filepath.Ext(page)) + ".svg"
	if err := os.WriteFile(picture, []byte(draw(results)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(text(rows, machine, filepath.Base(picture))), 0o644)
}

// read finds the results, and what the benchmarks say of the machine. A benchmark that failed is an error, for its row would
// be missing.
func read(in io.Reader) (results []result, machine string, err error) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		if cpu, ok := strings.CutPrefix(line, "cpu: "); ok {
			machine = cpu
		}
		if strings.HasPrefix(line, "--- FAIL") {
			return nil, "", fmt.Errorf("a benchmark failed: %s", line)
		}
		r, ok, err := parse(line)
		if err != nil {
			return nil, "", fmt.Errorf("%q: %w", line, err)
		}
		if ok {
			results = append(results, r)
		}
	}
	return results, machine, lines.Err()
}
