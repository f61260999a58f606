// SPDX-License-Identifier: Apache-2.0

// Command testsum reads the output of "go test -json" and prints what a person wants to know: the failures in full, one
// line a package, the counts of agreement that passing tests print, what was skipped by reason, the names of what failed, and one
// line of counts at the end. It exits with 1 if anything failed or nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// An event is a line of "go test -json".
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string
	Elapsed                       float64
}

// A summary is what has been read so far.
type summary struct {
	passed, skipped int
	failed, agrees  []string
	// skips counts the skipped tests by reason and by the function they are part of.
	skips  map[string]map[string]int
	output map[string][]string
}

func newSummary() summary {
	return summary{skips: map[string]map[string]int{}, output: map[string][]string{}}
}

func main() {
	s := newSummary()
	if err := s.read(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
	s.print(os.Stdout)
	if len(s.failed) > 0 || s.passed == 0 {
		os.Exit(1)
	}
}

func (s *summary) read(r io.Reader, w io.Writer) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			// Not of go test: a build that failed, for instance.
			fmt.Fprintln(w, lines.Text())
			continue
		}
		s.add(e, w)
	}
	return lines.Err()
}

func (s *summary) add(e event, w io.Writer) {
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(w, e.Output)
	case "build-fail":
		s.failed = append(s.failed, e.ImportPath)
	case "output":
		s.output[key] = append(s.output[key], e.Output)
	case "pass", "fail", "skip":
		s.end(e, s.output[key], w)
		delete(s.output, key)
	}
}

// end notes the end of a test or, if e names none, of a package.
func (s *summary) end(e event, output []string, w io.Writer) {
	switch {
	case e.Action == "fail":
		fmt.Fprint(w, strings.Join(output, ""))
		s.failed = append(s.failed, strings.TrimSpace(short(e.Package)+" "+e.Test))
	case e.Test == "" && e.Action == "pass":
		fmt.Fprintf(w, "ok    %-55s %6.1fs\n", short(e.Package), e.Elapsed)
	case e.Test != "" && e.Action == "pass":
		s.passed++
		for _, line := range output {
			if agreement.MatchString(line) {
				s.agrees = append(s.agrees, strings.TrimSpace(line))
			}
		}
	case e.Test != "" && e.Action == "skip":
		s.skip(e.Test, reason(output))
	}
}

func (s *summary) skip(test, reason string) {
	s.skipped++
	if s.skips[reason] == nil {
		s.skips[reason] = map[string]int{}
	}
	function, _, _ := strings.Cut(test, "/")
	s.skips[reason][function]++
}

// short is a package without the module it is in.
func short(pkg string) string { return strings.TrimPrefix(pkg, "github.com/go-virtnet/virtnet") }

// agreement is a line such as "networks: 600 documents, 600 agree".
var agreement = regexp.MustCompile(`^[^:]+: [0-9]+ [a-z]+, [0-9]+ (agree|valid)\b`)

// reason is what a skipped test said, without the position in the file.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") {
			continue
		}
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			if _, text, ok = strings.Cut(text, ": "); ok {
				return text
			}
		}
		return line
	}
	return "no reason given"
}

func (s *summary) print(w io.Writer) {
	list(w, "agreement with libvirt", s.agrees)
	var skips []string
	for _, reason := range slices.Sorted(maps.Keys(s.skips)) {
		var tests []string
		for _, function := range slices.Sorted(maps.Keys(s.skips[reason])) {
			tests = append(tests, fmt.Sprintf("%s (%d)", function, s.skips[reason][function]))
		}
		skips = append(skips, reason+": "+strings.Join(tests, ", "))
	}
	list(w, "skipped", skips)
	list(w, "failed", s.failed)
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", s.passed, len(s.failed), s.skipped)
}

func list(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, line := range lines {
		fmt.Fprintln(w, "  "+line)
	}
}
