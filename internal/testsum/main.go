// SPDX-License-Identifier: Apache-2.0

// Command testsum reads the output of "go test -json" and prints what a person wants to know: the failures in full, one
// line a package, the counts of agreement that passing tests print, every skipped test with its reason, and one line of
// counts at the end. It exits with 1 if anything failed or nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
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
	passed, failed int
	skips, agrees  []string
	output         map[string][]string
}

func main() {
	s := summary{output: map[string][]string{}}
	if err := s.read(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
	s.print(os.Stdout)
	if s.failed > 0 || s.passed == 0 {
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
		s.failed++
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
		s.failed++
	case e.Test == "" && e.Action == "pass":
		fmt.Fprintf(w, "ok    %-55s %6.1fs\n", strings.TrimPrefix(e.Package, "github.com/go-virtnet/virtnet"), e.Elapsed)
	case e.Test != "" && e.Action == "pass":
		s.passed++
		for _, line := range output {
			if agreement.MatchString(line) {
				s.agrees = append(s.agrees, strings.TrimSpace(line))
			}
		}
	case e.Test != "" && e.Action == "skip":
		s.skips = append(s.skips, e.Test+": "+reason(output))
	}
}

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
	slices.Sort(s.skips)
	if len(s.agrees) > 0 {
		fmt.Fprintln(w, "\nagreement with libvirt:")
	}
	for _, line := range s.agrees {
		fmt.Fprintln(w, "  "+line)
	}
	if len(s.skips) > 0 {
		fmt.Fprintln(w, "\nskipped:")
	}
	for _, skip := range s.skips {
		fmt.Fprintln(w, "  "+skip)
	}
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", s.passed, s.failed, len(s.skips))
}
