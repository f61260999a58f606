// SPDX-License-Identifier: Apache-2.0

// Report makes a page of what the benchmarks of internal/bench print: a table, and a picture of cost against size.
//
//	go test -run '^$' -bench . ./internal/bench | go run ./internal/bench/report -page docs/performance.md
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
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
		return fmt.Errorf("no benchmark said xfloor")
	}
	if _, err := io.WriteString(out, table(results)); err != nil || page == "" {
		return err
	}
	picture := strings.TrimSuffix(page, filepath.Ext(page)) + ".svg"
	if err := os.WriteFile(picture, []byte(draw(results)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(text(results, machine, filepath.Base(picture))), 0o644)
}

// A result is what one benchmark has found.
type result struct {
	// Operation is what was done, such as "Attach tap", and Size how many were there already, of what By says.
	Operation, By string
	Size          int
	// Floor and Own are medians, in microseconds, and Ratio is the median of the ratios.
	Floor, Own, Ratio float64
}

// read finds the results, and what the benchmarks say of the machine.
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

// parse reads a line such as "BenchmarkAttach/tap/ports=100-2  30  326.7 floor-µs  1441 own-µs  4.15 xfloor". Lines of other
// benchmarks are none.
func parse(line string) (r result, ok bool, err error) {
	fields := strings.Fields(line)
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "Benchmark") {
		return r, false, nil
	}
	values := map[string]*float64{"floor-µs": &r.Floor, "own-µs": &r.Own, "xfloor": &r.Ratio}
	for i := 2; i+1 < len(fields); i += 2 {
		if to := values[fields[i+1]]; to != nil {
			if *to, err = strconv.ParseFloat(fields[i], 64); err != nil {
				return r, false, err
			}
		}
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"), "-")
	for part := range strings.SplitSeq(name, "/") {
		key, value, found := strings.Cut(part, "=")
		size, numberErr := strconv.Atoi(value)
		switch {
		case found && numberErr == nil:
			r.By, r.Size = key, size
		case found && value == "false":
			r.Operation += " without " + key
		case found:
			r.Operation += " with " + key
		default:
			r.Operation += " " + part
		}
	}
	r.Operation = strings.TrimSpace(r.Operation)
	return r, r.Ratio > 0, nil
}
