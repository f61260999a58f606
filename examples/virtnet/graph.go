// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// A graph is what the networks of a host are made of: uplinks, bridges, and the ports of guests.
type graph struct {
	Networks []graphNetwork `json:"networks"`
}

type graphNetwork struct {
	Name      string   `json:"name"`
	Mode      string   `json:"mode"`
	Bridge    string   `json:"bridge,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Rates     string   `json:"rates,omitempty"`
	// Uplinks are the devices by which the network reaches the outside; none if it does not.
	Uplinks []string   `json:"uplinks,omitempty"`
	Ports   []portLine `json:"ports,omitempty"`
}

// graph draws the networks that run: as SVG, as Mermaid, or as data.
func (s station) graph(ctx context.Context, out io.Writer, args []string) error {
	layout := ""
	j, err := s.job(ctx, out, args, 0, 1, func(f *flag.FlagSet) { f.StringVar(&layout, "format", "mermaid", "") })
	if err != nil {
		return err
	}
	defer j.close()
	draw, ok := map[string]func(*graph) string{"svg": (*graph).svg, "mermaid": (*graph).mermaid}[layout]
	if !ok {
		return errUsage
	}
	g, err := j.draw(ctx, j.flags.Arg(0))
	if err != nil {
		return err
	}
	if j.json {
		return j.print(g)
	}
	_, err = io.WriteString(out, draw(g))
	return err
}

// draw looks at the networks that run, or at one.
func (j *job) draw(ctx context.Context, name string) (*graph, error) {
	running, err := j.active(ctx, name)
	if err != nil {
		return nil, err
	}
	f, err := j.nets.Backend().Facts(ctx, host.Scope{Routes: true})
	if err != nil {
		return nil, err
	}
	g := &graph{Networks: []graphNetwork{}}
	for _, s := range running {
		line := lineOf(s)
		n := graphNetwork{
			Name: s.Name, Mode: line.Mode, Bridge: line.Bridge, Addresses: line.Addresses,
			Rates: rates(s.Live.Bandwidth), Uplinks: uplinks(s.Live, f),
		}
		if n.Ports, err = j.ports(ctx, s.Name); err != nil {
			return nil, err
		}
		g.Networks = append(g.Networks, n)
	}
	return g, nil
}

// uplinks are the devices that a network names, or else those of the host's default routes.
func uplinks(n *network.Network, f *host.Facts) []string {
	if n.Forward == nil {
		return nil
	}
	var links []string
	for _, i := range n.Forward.Interfaces {
		links = append(links, i.Dev.String())
	}
	if n.Forward.Dev != "" {
		links = append(links, n.Forward.Dev)
	}
	if len(links) == 0 && n.Managed() {
		for _, r := range f.Routes {
			if r.Dest.Bits() == 0 && r.Link != "" {
				links = append(links, r.Link)
			}
		}
	}
	slices.Sort(links)
	return slices.Compact(links)
}

// rates is a bandwidth in few words; empty if there is none. Kilobytes are 1000 bytes.
func rates(b *qos.Bandwidth) string {
	if b == nil {
		return ""
	}
	var parts []string
	for _, d := range []struct {
		name string
		rate *qos.Rate
	}{{"in", b.Inbound}, {"out", b.Outbound}} {
		if d.rate == nil {
			continue
		}
		var words []string
		for _, w := range []struct {
			name  string
			value schema.Number
		}{{"", d.rate.Average}, {"peak ", d.rate.Peak}, {"floor ", d.rate.Floor}} {
			if v := w.value.Uint(); v > 0 {
				words = append(words, fmt.Sprintf("%s%d", w.name, v))
			}
		}
		parts = append(parts, d.name+" "+strings.Join(words, " ")+" kB/s")
	}
	return strings.Join(parts, ", ")
}
