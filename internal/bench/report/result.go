// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"
)

// A result is what one benchmark has found: what the library does beside something else.
type result struct {
	// Operation is what was done, such as "Attach tap", and Size how many were there already, of what By says.
	Operation, By string
	Size          int
	// Beside is what it was compared with, such as "floor"; empty is nothing.
	Beside string
	// Other and Own are what was measured of that and of the library, in Unit.
	Other, Own float64
	Unit       string
	// Verdict is what both come to: how many times (Kind "times"), how many times faster ("faster"), how much more ("over", in Unit), or
	// what the library has ("own", in Unit).
	Verdict float64
	Kind    string
}

// parse reads a line such as "BenchmarkAttach/tap/ports=100-2  30  326.7 floor-µs  1441 own-µs  4.15 xfloor". Lines of other
// benchmarks are none.
func parse(line string) (r result, ok bool, err error) {
	fields := strings.Fields(line)
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "Benchmark") {
		return r, false, nil
	}
	for i := 2; i+1 < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return r, false, err
		}
		r.metric(fields[i+1], value)
	}
	if r.Kind == "" && r.Beside == "" {
		r.Kind, r.Verdict = "own", r.Own
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"), "-")
	r.name(name)
	return r, r.Own > 0 && r.Kind != "", nil
}

// metric takes one of what a benchmark reports: "own-µs", "floor-µs", and one of "xfloor", "over-µs" and "faster".
func (r *result) metric(name string, value float64) {
	what, unit, measured := strings.Cut(name, "-")
	switch {
	case what == "own" && measured:
		r.Own, r.Unit = value, unit
	case what == "over" && measured:
		r.Kind, r.Verdict = "over", value
	case name == "faster":
		r.Kind, r.Verdict = "faster", value
	case strings.HasPrefix(name, "x"):
		r.Kind, r.Verdict = "times", value
	case measured:
		r.Beside, r.Other = what, value
	}
}

// name takes the name of a benchmark apart: "Start/dhcp=true/networks=0" is a start with dhcp beside no network.
func (r *result) name(name string) {
	for part := range strings.SplitSeq(name, "/") {
		key, value, found := strings.Cut(part, "=")
		size, err := strconv.Atoi(value)
		switch {
		case found && err == nil:
			r.By, r.Size = key, size
		case found && value == "false":
			r.Operation += " without " + key
		case found && value == "true":
			r.Operation += " with " + key
		case found:
			r.Operation += " " + key + " " + value
		default:
			r.Operation += " " + strings.ReplaceAll(part, "_", " ")
		}
	}
	r.Operation = strings.TrimSpace(r.Operation)
}

// shares are how the library's own share of an operation, which is what it takes above the floor, grows with what is there.
func shares(results []result) (grown []result) {
	for _, large := range results {
		for _, small := range results {
			from, ok := grows[large.By]
			if ok && strings.HasPrefix(large.Operation, from.operation) && large.Beside == "floor" && large.Operation == small.Operation && small.Size == from.small && large.Size == from.large {
				grown = append(grown, result{
					Operation: large.Operation + ", own share", By: large.By, Size: large.Size, Beside: "with " + strconv.Itoa(small.Size),
					Other: small.Own - small.Other, Own: large.Own - large.Other, Unit: large.Unit,
					Kind: "times", Verdict: (large.Own - large.Other) / (small.Own - small.Other),
				})
			}
		}
	}
	return grown
}

// grows says of which operations, and from where to where, growth is looked at, by what there is more of.
var grows = map[string]struct {
	operation    string
	small, large int
}{"ports": {"Attach", 1, 1000}, "networks": {"Start without dhcp", 10, 200}}
