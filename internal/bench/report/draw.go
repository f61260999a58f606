// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The picture has a panel for each thing that there may be more of: what an operation takes, the library's a line and its floor a
// dashed one.
const (
	width, panelHeight = 900, 470
	left, right        = 70, 240
	top, bottom        = 56, 56
	labelHeight        = 17
)

var colours = []string{"#1b6ca8", "#d1495b", "#2e8b57", "#8a4fbf", "#c77700", "#4d4d4d", "#008b8b", "#b03a8c", "#6b8e23", "#334499", "#a0522d", "#e0609a"}

// A panel is one of those.
type panel struct {
	by      string
	results []result
	top     int
	// smallest and largest are sizes, and least and most bound the times, in microseconds.
	smallest, largest, least, most float64
}

func draw(results []result) string {
	panels := panelsOf(results)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, panelHeight*len(panels))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, panelHeight*len(panels))
	for i, p := range panels {
		p.top = i * panelHeight
		p.axes(&b)
		p.lines(&b)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// panelsOf are those results that were compared with a floor at several sizes.
func panelsOf(results []result) (panels []*panel) {
	for _, by := range []string{"networks", "ports"} {
		p := &panel{by: by, smallest: math.Inf(1), least: math.Inf(1)}
		for _, r := range results {
			if r.By == by && r.Beside == "floor" && r.Unit == "µs" {
				p.results = append(p.results, r)
				p.smallest, p.largest = min(p.smallest, float64(r.Size)), max(p.largest, float64(r.Size))
				p.least, p.most = min(p.least, r.Other, r.Own), max(p.most, r.Other, r.Own)
			}
		}
		if p.results != nil {
			p.least, p.most = p.least/1.3, p.most*1.3
			panels = append(panels, p)
		}
	}
	return panels
}

// Both axes are logarithmic: 1 and 1000 ports, and 50 µs and 50 ms, are all to be seen.
func (p *panel) x(size int) float64 {
	from, to := math.Log1p(p.smallest), math.Log1p(max(p.largest, p.smallest+1))
	return left + (width-left-right)*(math.Log1p(float64(size))-from)/(to-from)
}

func (p *panel) y(micros float64) float64 {
	const height = panelHeight - top - bottom
	return float64(p.top) + top + height*(1-math.Log(micros/p.least)/math.Log(p.most/p.least))
}

// axes are the panel's title, its grid and what stands at it.
func (p *panel) axes(b *strings.Builder) {
	write(b, left, float64(p.top+24), `font-size="16" font-weight="bold"`, fmt.Sprintf("What it takes, by how many %s there are", p.by))
	write(b, left, float64(p.top+42), `fill="#555555"`, "Both axes are logarithmic. Line: the library. Dashed: its floor, the same work of the kernel by the least code.")
	for decade := 1.0; decade <= p.most; decade *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if v := decade * step; v >= p.least && v <= p.most {
				line(b, left, p.y(v), width-right, p.y(v), grid)
				write(b, left-8, p.y(v)+4, `text-anchor="end"`, tick(v))
			}
		}
	}
	low := float64(p.top + panelHeight - bottom)
	for _, size := range p.sizes() {
		line(b, p.x(size), float64(p.top+top), p.x(size), low, grid)
		write(b, p.x(size), low+18, `text-anchor="middle"`, strconv.Itoa(size))
	}
	write(b, left+(width-left-right)/2, low+38, `text-anchor="middle"`, p.by)
}

const grid = `stroke="#e2e2e2"`

func line(b *strings.Builder, x1, y1, x2, y2 float64, style string) {
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2, style)
}

func write(b *strings.Builder, x, y float64, style, text string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, style, html.EscapeString(text))
}

// tick is a time at the axis.
func tick(micros float64) string {
	if micros >= 1000 {
		return fmt.Sprintf("%g ms", micros/1000)
	}
	return fmt.Sprintf("%g µs", micros)
}

// A label names a line at its end.
type label struct {
	text, colour string
	from, y      float64
}

func (p *panel) lines(b *strings.Builder) {
	byOperation := map[string][]result{}
	var names []string
	for _, r := range p.results {
		if byOperation[r.Operation] == nil {
			names = append(names, r.Operation)
		}
		byOperation[r.Operation] = append(byOperation[r.Operation], r)
	}
	var labels []label
	for i, name := range names {
		colour := colours[i%len(colours)]
		var own, floor []string
		for _, r := range byOperation[name] {
			own = append(own, fmt.Sprintf("%.1f,%.1f", p.x(r.Size), p.y(r.Own)))
			floor = append(floor, fmt.Sprintf("%.1f,%.1f", p.x(r.Size), p.y(r.Other)))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", p.x(r.Size), p.y(r.Own), colour)
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(own, " "), colour)
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.2" stroke-dasharray="5 4"/>`+"\n", strings.Join(floor, " "), colour)
		last := byOperation[name][len(byOperation[name])-1]
		labels = append(labels, label{fmt.Sprintf("%s, %s×", name, short(last.Verdict, 3)), colour, p.y(last.Own), p.y(last.Own)})
	}
	spread(labels, float64(p.top+top), float64(p.top+panelHeight-bottom))
	for _, l := range labels {
		line(b, width-right+6, l.from, width-right+22, l.y, fmt.Sprintf(`stroke="%s" stroke-width="0.7"`, l.colour))
		write(b, width-right+26, l.y+4, fmt.Sprintf(`fill="%s"`, l.colour), l.text)
	}
}

// spread moves labels apart that would stand on each other, within bounds, in the order of their lines.
func spread(labels []label, first, last float64) {
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(a.from, b.from) })
	for i := range labels {
		if i > 0 {
			labels[i].y = max(labels[i].y, labels[i-1].y+labelHeight)
		} else {
			labels[i].y = max(labels[i].y, first)
		}
	}
	for i := len(labels) - 1; i >= 0; i-- {
		labels[i].y = min(labels[i].y, last)
		last = labels[i].y - labelHeight
	}
}

// sizes are all that occur, once each, in order.
func (p *panel) sizes() []int {
	var all []int
	for _, r := range p.results {
		all = append(all, r.Size)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
