// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// mermaid is the graph as a flowchart of Mermaid.
func (g *graph) mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	b.WriteString("  subgraph host[\"this host\"]\n")
	drawn := map[string]bool{}
	for i, n := range g.Networks {
		for _, link := range n.Uplinks {
			if !drawn[link] {
				drawn[link] = true
				fmt.Fprintf(&b, "    %s[/%s/]\n", linkID(link), mermaidText(link))
			}
		}
		fmt.Fprintf(&b, "    net%d[%s]\n", i, mermaidText(n.lines()...))
	}
	b.WriteString("  end\n")
	for i, n := range g.Networks {
		for _, link := range n.Uplinks {
			fmt.Fprintf(&b, "  net%d ---|%s| %s\n", i, mermaidText(n.Mode), linkID(link))
		}
		for k, p := range n.Ports {
			fmt.Fprintf(&b, "  port%d_%d([%s])\n", i, k, mermaidText(p.Guest, p.MAC))
			words := []string{p.Link}
			if p.Rates != "" {
				words = append(words, p.Rates)
			}
			fmt.Fprintf(&b, "  port%d_%d ---|%s| net%d\n", i, k, mermaidText(words...), i)
		}
	}
	return b.String()
}

// lines are what is written on a network.
func (n *graphNetwork) lines() []string {
	lines := []string{n.Name + " (" + n.Mode + ")"}
	if n.Bridge != "" {
		lines = append(lines, "bridge "+n.Bridge)
	}
	lines = append(lines, n.Addresses...)
	if n.Rates != "" {
		lines = append(lines, n.Rates)
	}
	return lines
}

// linkID is the name of a link as Mermaid takes it.
func linkID(link string) string { return fmt.Sprintf("link_%x", link) }

// mermaidText quotes lines of text. Names come from documents.
func mermaidText(lines ...string) string {
	escape := strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ", "\\", "#92;")
	for i := range lines {
		lines[i] = escape.Replace(lines[i])
	}
	return `"` + strings.Join(lines, "<br>") + `"`
}
