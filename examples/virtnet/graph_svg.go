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
	svgLine   = 17 // from one line of text to the next
	svgLetter = 8  // about the width of one
	svgPad    = 10 // around text
	svgGap    = 24 // between boxes
	svgBend   = 70 // of a wire, before its name
)

// A box is a rectangle with lines of text.
type box struct {
	x, y, w, h int
	fill       string
	lines      []string
}

func newBox(fill string, lines ...string) *box {
	b := &box{lines: lines, fill: fill, h: len(lines)*svgLine + 2*svgPad}
	for _, line := range lines {
		b.w = max(b.w, textWidth(line)+2*svgPad)
	}
	return b
}

func (b *box) middle() int { return b.y + b.h/2 }

func textWidth(text string) int { return utf8.RuneCountInString(text) * svgLetter }

// A wire leads from a box to one in a column further to the right, and has a name there.
type wire struct {
	from, to *box
	name     string
}

// A drawing is boxes in columns: uplinks, networks and guests.
type drawing struct {
	columns [3][]*box
	wires   []wire
	height  int
}

// svg is the picture as a drawing.
func (p *picture) svg() string {
	d := &drawing{height: 2 * svgGap}
	links := map[string]*box{}
	for i := range p.Networks {
		n := &p.Networks[i]
		net := d.network(n)
		for _, name := range n.Uplinks {
			if links[name] == nil {
				links[name] = newBox("#fef3c7", name)
				d.columns[0] = append(d.columns[0], links[name])
			}
			d.wires = append(d.wires, wire{links[name], net, n.Mode})
		}
	}
	d.placeUplinks()
	return d.text(d.placeColumns())
}

// network puts a network with its guests under what there is already.
func (d *drawing) network(n *pictureNetwork) *box {
	net, high := newBox("#dbeafe", n.lines()...), 0
	for _, p := range n.Ports {
		guest := newBox("#dcfce7", p.lines()...)
		guest.y = d.height + high
		high += guest.h + svgGap
		d.columns[2] = append(d.columns[2], guest)
		d.wires = append(d.wires, wire{net, guest, n.wire(&p)})
	}
	high = max(high-svgGap, net.h)
	net.y = d.height + (high-net.h)/2
	d.height += high + svgGap
	d.columns[1] = append(d.columns[1], net)
	return net
}

// placeUplinks puts each uplink beside the networks that use it, as far as there is room.
func (d *drawing) placeUplinks() {
	free := 2 * svgGap
	for _, link := range d.columns[0] {
		sum, count := 0, 0
		for _, w := range d.wires {
			if w.from == link {
				sum, count = sum+w.to.middle(), count+1
			}
		}
		link.y = max(free, sum/count-link.h/2)
		free = link.y + link.h + svgGap
	}
	d.height = max(d.height, free)
}

// placeColumns puts the columns side by side, with room for the names of the wires, and returns how wide all is, and how
// much of it is the host.
func (d *drawing) placeColumns() (width, hostWidth int) {
	x := svgGap
	width = 10 * svgGap
	for i, column := range d.columns {
		if len(column) == 0 {
			continue
		}
		name, w := 0, 0
		for _, b := range column {
			w = max(w, b.w)
			for _, wire := range d.wires {
				if wire.to == b {
					name = max(name, textWidth(wire.name)+svgBend)
				}
			}
		}
		x += name
		for _, b := range column {
			b.x, b.w = x, w
		}
		if x += w; i == 1 {
			hostWidth = x
		}
		width = max(width, x+svgGap)
	}
	return width, max(hostWidth, 4*svgGap)
}

// text writes the drawing.
func (d *drawing) text(width, hostWidth int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="monospace" font-size="13">`+"\n", width, d.height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, d.height)
	fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%[1]d\" width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#f8fafc\" stroke=\"#94a3b8\" stroke-dasharray=\"5 4\"/>\n",
		svgGap/2, hostWidth, d.height-svgGap)
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" fill=\"#475569\">this host</text>\n", svgGap, svgGap+svgPad)
	named := map[wire]bool{}
	for _, w := range d.wires {
		x1, y1, x2, y2 := w.from.x+w.from.w, w.from.middle(), w.to.x, w.to.middle()
		bend := x2 - textWidth(w.name) - svgPad
		fmt.Fprintf(&b, "<path fill=\"none\" stroke=\"#64748b\" d=\"M%d %d C%d %d %d %d %d %d H%d\"/>\n", x1, y1, (x1+bend)/2, y1, (x1+bend)/2, y2, bend, y2, x2)
		end := wire{to: w.to, name: w.name}
		if named[end] {
			continue // several wires of one name end there
		}
		named[end] = true
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#475569\">%s</text>\n", x2-svgPad/2, y2-5, svgText(w.name))
	}
	for _, box := range slices.Concat(d.columns[0], d.columns[1], d.columns[2]) {
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
