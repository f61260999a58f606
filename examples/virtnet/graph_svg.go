// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Sizes of the drawing, in pixels.
const (
	svgLine   = 17  // from one line of text to the next
	svgLetter = 8   // about the width of one
	svgPad    = 10  // around text
	svgGap    = 24  // between boxes
	svgWire   = 150 // between columns, at least
)

// A box is a rectangle with lines of text.
type box struct {
	x, y, w, h int
	lines      []string
	fill       string
}

func newBox(fill string, lines ...string) *box {
	b := &box{lines: lines, fill: fill, h: len(lines)*svgLine + 2*svgPad}
	for _, line := range lines {
		b.w = max(b.w, utf8.RuneCountInString(line)*svgLetter+2*svgPad)
	}
	return b
}

func (b *box) middle() int { return b.y + b.h/2 }

// svg is the graph as a drawing: uplinks to the left, networks, and guests to the right.
func (g *graph) svg() string {
	var columns [3][]*box
	var wires strings.Builder
	links := map[string]*box{}
	type wire struct {
		from, to *box
		above    string
		below    string
	}
	var all []wire
	below := svgGap * 2
	widest := 0
	for i := range g.Networks {
		n := &g.Networks[i]
		net := newBox("#dbeafe", n.lines()...)
		top, high := below, 0
		for _, p := range n.Ports {
			guest := newBox("#dcfce7", p.Guest, p.MAC)
			guest.y = top + high
			high += guest.h + svgGap
			columns[2] = append(columns[2], guest)
			all = append(all, wire{net, guest, p.Link, p.Rates})
			widest = max(widest, utf8.RuneCountInString(p.Rates))
		}
		high = max(high-svgGap, net.h)
		net.y = top + (high-net.h)/2
		below = top + high + svgGap
		columns[1] = append(columns[1], net)
		for _, name := range n.Uplinks {
			if links[name] == nil {
				links[name] = newBox("#fef3c7", name)
				columns[0] = append(columns[0], links[name])
			}
			all = append(all, wire{links[name], net, n.Mode, ""})
		}
	}
	// An uplink stands beside the networks that use it, as far as there is room.
	free := svgGap * 2
	for _, link := range columns[0] {
		sum, count := 0, 0
		for _, w := range all {
			if w.from == link {
				sum, count = sum+w.to.middle(), count+1
			}
		}
		link.y = max(free, sum/count-link.h/2)
		free = link.y + link.h + svgGap
	}
	x := svgGap
	right := 0
	hostRight := 0
	for i, column := range columns {
		w := 0
		for _, b := range column {
			b.x = x
			w = max(w, b.w)
		}
		for _, b := range column {
			b.w = w
		}
		right = max(right, x+w)
		if i == 1 {
			hostRight = x + w + svgGap/2
		}
		if x += w; w > 0 {
			x += svgWire
			if i == 1 {
				x += max(0, widest*svgLetter-svgWire+2*svgGap)
			}
		}
	}
	for _, w := range all {
		x1, y1, x2, y2 := w.from.x+w.from.w, w.from.middle(), w.to.x, w.to.middle()
		fmt.Fprintf(&wires, "<path d=\"M%d %d C%d %d %d %d %d %d\"/>\n", x1, y1, x1+40, y1, x2-40, y2, x2, y2)
		at := x2 - svgPad // beside the box on the right, where wires do not cross
		fmt.Fprintf(&wires, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", at, y2-5, svgText(w.above))
		if w.below != "" {
			fmt.Fprintf(&wires, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", at, y2+svgLine-2, svgText(w.below))
		}
	}
	height := max(below, free)
	var b strings.Builder
	width := max(right+svgGap, hostRight+svgGap/2, 200)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="monospace" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height)
	fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#f8fafc\" stroke=\"#94a3b8\" stroke-dasharray=\"5 4\"/>\n",
		svgGap/2, svgGap/2, max(hostRight-svgGap/2, 100), height-svgGap)
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" fill=\"#475569\">this host</text>\n", svgGap, svgGap+svgPad)
	fmt.Fprintf(&b, "<g stroke=\"none\" fill=\"#475569\" font-size=\"12\">\n%s</g>\n", strings.ReplaceAll(wires.String(), "<path ", `<path fill="none" stroke="#64748b" `))
	for _, box := range slices.Concat(columns[0], columns[1], columns[2]) {
		fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"5\" fill=\"%s\" stroke=\"#334155\"/>\n", box.x, box.y, box.w, box.h, box.fill)
		for i, line := range box.lines {
			weight := ""
			if i == 0 {
				weight = ` font-weight="bold"`
			}
			fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", box.x+svgPad, box.y+svgPad+13+i*svgLine, weight, svgText(line))
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func svgText(text string) string {
	var b strings.Builder
	if xml.EscapeText(&b, []byte(text)) != nil {
		return "" // a Builder takes everything
	}
	return b.String()
}
