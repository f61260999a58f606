// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// targets are the most that an operation may take, as a multiple of its floor.
var targets = map[string]float64{
	"Start with dhcp": 1.3, "Stop with dhcp": 1.15, "Stop without dhcp": 1.15,
	"Attach tap": 1.3, "Attach veth": 1.3, "Attach macvtap": 1.3,
	"Detach tap": 1.05, "Detach veth": 1.05, "Detach macvtap": 1.05,
}

// table is a row for each result, in Markdown.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| operation | already there | floor, µs | library, µs | times the floor | wanted |\n|---|---|---|---|---|---|\n")
	for _, r := range results {
		wanted := "–"
		if most, ok := targets[r.Operation]; ok {
			wanted = fmt.Sprintf("%.2f", most)
		}
		fmt.Fprintf(&b, "| %s | %d %s | %.0f | %.0f | %.2f | %s |\n", r.Operation, r.Size, r.By, r.Floor, r.Own, r.Ratio, wanted)
	}
	return b.String()
}

// text is the page.
func text(results []result, machine, picture string) string {
	missed := 0
	for _, r := range results {
		if most, ok := targets[r.Operation]; ok && r.Ratio > most {
			missed++
		}
	}
	return fmt.Sprintf(`# Performance

Written by %[1]smake bench%[1]s, on: %[2]s.

Each operation takes turns with a floor: the same work of the kernel, done by the least code that can do it (netlink messages
that were put together before, one nf_tables transaction, one start of dnsmasq), which looks at nothing, keeps no record and takes
nothing back. "Times the floor" is the median of the ratios of neighbours in time; the times themselves say little about another machine,
or about this one in another hour. Of %[3]d rows, %[4]d are above what is wanted.

%[5]s
![Cost against size](%[6]s)
`, "`", machine, len(results), missed, table(results), picture)
}

// The picture has a line for each operation: how many times the floor, by how many are there already.
const (
	width, height = 760, 420
	left, right   = 60, 200
	top, bottom   = 30, 50
)

var colours = []string{"#1b6ca8", "#d1495b", "#2e8b57", "#8a4fbf", "#c77700", "#555555", "#008b8b", "#b03a8c", "#6b8e23", "#444488"}

func draw(results []result) string {
	byOperation := map[string][]result{}
	var names []string
	largest, most := 1, 1.5
	for _, r := range results {
		if byOperation[r.Operation] == nil {
			names = append(names, r.Operation)
		}
		byOperation[r.Operation] = append(byOperation[r.Operation], r)
		largest, most = max(largest, r.Size), max(most, r.Ratio)
	}
	// Both axes are logarithmic: 1 and 1000 ports, and 1 and 10 times the floor, are all to be seen.
	x := func(size int) float64 {
		return left + (width-left-right)*math.Log1p(float64(size))/math.Log1p(float64(largest))
	}
	y := func(ratio float64) float64 {
		return top + (height-top-bottom)*(1-math.Log(max(ratio, 0.5)/0.5)/math.Log(most*1.1/0.5))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for _, ratio := range []float64{0.5, 1, 2, 4, 8, 16} {
		if ratio <= most*1.1 {
			fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%g×</text>`+"\n",
				left, width-right, y(ratio), y(ratio), left-6, y(ratio)+4, ratio)
		}
	}
	for _, size := range sizes(results) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(size), height-bottom+18, size)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">how many are there already; how many times the floor it takes</text>`+"\n", left, height-8)
	for i, name := range names {
		colour := colours[i%len(colours)]
		var points []string
		for _, r := range byOperation[name] {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(r.Size), y(r.Ratio)))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(r.Size), y(r.Ratio), colour)
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", strings.Join(points, " "), colour)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", width-right+16, top+8+i*18, colour, name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// sizes are all that occur, once each, in order.
func sizes(results []result) []int {
	var all []int
	for _, r := range results {
		all = append(all, r.Size)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
