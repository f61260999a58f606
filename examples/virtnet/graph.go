// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"io"
	"slices"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// A picture is what the networks of a host are made of: uplinks, bridges, and the ports of guests.
type picture struct {
	Networks []pictureNetwork `json:"networks"`
}

// A pictureNetwork is a network of a picture. One without a name is a bridge or device of the host that guests are plugged
// into without a network.
type pictureNetwork struct {
	Name string `json:"name,omitempty"`
	Mode string `json:"mode,omitempty"`
	// Device is what stands in place of a network.
	Device    string   `json:"device,omitempty"`
	Bridge    string   `json:"bridge,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Rates     string   `json:"rates,omitempty"`
	// Uplinks are the devices by which the network reaches the outside; none if it does not.
	Uplinks []string   `json:"uplinks,omitempty"`
	Ports   []portLine `json:"ports,omitempty"`
}

// graph draws networks: as SVG, as Mermaid, or as data.
type graph struct{ layout string }

func (g *graph) flags(f *flag.FlagSet) {
	f.StringVar(&g.layout, "format", "mermaid", "draw as `mermaid|svg`")
}

func (g *graph) run(ctx context.Context, c *call) error {
	draw, ok := map[string]func(*picture) string{"svg": (*picture).svg, "mermaid": (*picture).mermaid}[g.layout]
	if !ok {
		return wrong("--format %s is neither mermaid nor svg", g.layout)
	}
	p, err := c.picture(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.print(p)
	}
	_, err = io.WriteString(c.out, draw(p))
	return err
}

// picture is that of what was asked for: networks that run, those in files, or without arguments all that run.
func (c *call) picture(ctx context.Context) (*picture, error) {
	var names []string
	var documents []*network.Network
	for _, arg := range c.args {
		if !isFile(arg) {
			names = append(names, arg)
			continue
		}
		n, err := c.networkIn(arg)
		if err != nil {
			return nil, err
		}
		documents = append(documents, n)
	}
	p := &picture{Networks: []pictureNetwork{}}
	if len(names) > 0 || len(documents) == 0 {
		if err := p.running(ctx, c, names); err != nil {
			return nil, err
		}
	}
	if len(documents) == 0 {
		return p, nil
	}
	return p, c.hostOrMemory(func(b host.Backend, _ string) error {
		f, err := b.Facts(ctx, host.Scope{Routes: true})
		if err != nil {
			return err
		}
		for _, n := range documents {
			p.Networks = append(p.Networks, pictureOf(n, nil, f))
		}
		return nil
	})
}

// running adds networks that run, with their ports; without names, all of them and the ports that have no network.
func (p *picture) running(ctx context.Context, c *call, names []string) error {
	nets, err := c.manager(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := known(ctx, nets, name); err != nil {
			return err
		}
	}
	running, err := active(ctx, nets, names...)
	if err != nil {
		return err
	}
	f, err := nets.Backend().Facts(ctx, host.Scope{All: true})
	if err != nil {
		return err
	}
	for _, s := range running {
		plugged, err := ports(ctx, nets, s.Name)
		if err != nil {
			return err
		}
		p.Networks = append(p.Networks, pictureOf(s.Live, plugged, f))
	}
	if len(names) > 0 {
		return nil
	}
	alone, err := ports(ctx, nets, "")
	if err != nil {
		return err
	}
	p.addAlone(alone, f)
	return nil
}

// pictureOf is a network with its ports.
func pictureOf(n *network.Network, plugged []*network.PortStatus, f *host.Facts) pictureNetwork {
	drawn := pictureNetwork{
		Name: n.Name, Mode: modeOf(n), Bridge: bridgeOf(n), Addresses: addresses(n), Rates: rates(n.Bandwidth), Uplinks: uplinks(n, f),
	}
	for _, port := range plugged {
		drawn.Ports = append(drawn.Ports, portLineOf(port))
	}
	return drawn
}

// addAlone adds the bridges and devices of the host that guests are plugged into without a network.
func (p *picture) addAlone(alone []*network.PortStatus, f *host.Facts) {
	at := map[string]int{}
	for _, port := range alone {
		line := portLineOf(port)
		i, ok := at[line.Into]
		if !ok {
			i = len(p.Networks)
			at[line.Into] = i
			n := pictureNetwork{Device: line.Into, Uplinks: []string{line.Into}}
			if l := f.Link(line.Into); l != nil && l.Kind == host.Bridge {
				n.Bridge, n.Uplinks = line.Into, members(line.Into, f)
			}
			p.Networks = append(p.Networks, n)
		}
		p.Networks[i].Ports = append(p.Networks[i].Ports, line)
	}
}

// uplinks are the devices that a network names, or else those that are plugged into its bridge, or those of the host's
// default routes.
func uplinks(n *network.Network, f *host.Facts) []string {
	if n.Forward == nil {
		return nil
	}
	var links []string
	for _, i := range n.Forward.Interfaces {
		links = append(links, i.Dev.String())
	}
	for _, a := range n.Forward.Addresses {
		links = append(links, a.String())
	}
	if n.Forward.PF != nil {
		links = append(links, n.Forward.PF.Dev.String())
	}
	if n.Forward.Dev != "" {
		links = append(links, n.Forward.Dev)
	}
	if n.HostBridge() {
		links = append(links, members(bridgeOf(n), f)...)
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

// members are the links of a bridge that no guest is behind: those that nobody made for one.
func members(bridge string, f *host.Facts) []string {
	var links []string
	for _, l := range f.Links {
		if l.Master == bridge && l.Kind != host.Tap && l.Owner == "" {
			links = append(links, l.Name)
		}
	}
	return links
}
