// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// mermaid is the picture as a flowchart of Mermaid.
func (p *picture) mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	b.WriteString("  subgraph host[\"this host\"]\n")
	drawn := map[string]bool{}
	for i, n := range p.Networks {
		for _, link := range n.Uplinks {
			if !drawn[link] {
				drawn[link] = true
				fmt.Fprintf(&b, "    %s[/%s/]\n", linkID(link), mermaidText(link))
			}
		}
		fmt.Fprintf(&b, "    net%d[%s]\n", i, mermaidText(n.lines()...))
	}
	b.WriteString("  end\n")
	for i, n := range p.Networks {
		for _, link := range n.Uplinks {
			fmt.Fprintf(&b, "  %s ---%s net%d\n", linkID(link), mermaidName(n.Mode), i)
		}
		for k, port := range n.Ports {
			guest := fmt.Sprintf("port%d_%d", i, k)
			fmt.Fprintf(&b, "  %s([%s])\n", guest, mermaidText(port.lines()...))
			fmt.Fprintf(&b, "  net%d ---%s %s\n", i, mermaidName(n.wire(&port)), guest)
		}
	}
	return b.String()
}

// lines are what is written on a network.
func (n *pictureNetwork) lines() []string {
	lines := []string{n.Name + " (" + n.Mode + ")"}
	if n.Name == "" {
		lines[0] = n.Device + " (no network)"
	}
	if n.Bridge != "" && n.Name != "" {
		lines = append(lines, "bridge "+n.Bridge)
	}
	lines = append(lines, n.Addresses...)
	return append(lines, rateLines(n.Rates)...)
}

// lines are what is written on a guest.
func (p *portLine) lines() []string { return append([]string{p.Guest, p.MAC}, rateLines(p.Rates)...) }

// rateLines are rates with a line for each direction.
func rateLines(rates string) []string {
	if rates == "" {
		return nil
	}
	return strings.Split(rates, ", ")
}

// wire is what is written on the wire from a network to a guest: the guest's device, and that of the host which it stands
// on.
func (n *pictureNetwork) wire(p *portLine) string {
	switch {
	case p.Link == "":
		return p.Into
	case p.Into == "" || p.Into == n.Bridge:
		return p.Link
	}
	return p.Link + " on " + p.Into
}

// linkID is the name of a link as Mermaid takes it.
func linkID(link string) string { return fmt.Sprintf("link_%x", link) }

// mermaidName is the name of a wire, if it has one.
func mermaidName(name string) string {
	if name == "" {
		return ""
	}
	return "|" + mermaidText(name) + "|"
}

// mermaidText quotes lines of text. Names come from documents.
func mermaidText(lines ...string) string {
	escape := strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ", "\\", "#92;", "`", "#96;")
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = escape.Replace(line)
	}
	return `"` + strings.Join(escaped, "<br>") + `"`
}
