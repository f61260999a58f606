// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// usualNetwork is what doctor asks about if it is given no document: the network that most hosts have.
const usualNetwork = `<network><name>default</name><forward/><bridge name='virbr0'/><ip address='192.168.122.1' prefix='24'>
<dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>`

// A diagnosis is what stands in the way of a network's packets, as an object of JSON.
type diagnosis struct {
	Network  string        `json:"network"`
	Barriers []barrierLine `json:"barriers"`
	// Unread are filters that are there and cannot be read.
	Unread []string `json:"unread,omitempty"`
}

// A barrierLine is a barrier as an object of JSON. Family is ipv4 or ipv6.
type barrierLine struct {
	Traffic   network.Traffic   `json:"traffic"`
	Family    string            `json:"family"`
	Certainty network.Certainty `json:"certainty"`
	Chain     string            `json:"chain,omitempty"`
	Rule      string            `json:"rule"`
}

// doctor prints what other programs' packet filters on this host will stop of a network's traffic.
func doctor(ctx context.Context, c *call) error {
	n, err := c.patient(ctx)
	if err != nil {
		return err
	}
	b, err := c.open()
	if err != nil {
		return mayNot(err)
	}
	reader, ok := b.(host.FirewallReader)
	if !ok {
		return fmt.Errorf("what other programs filter: %w", errors.ErrUnsupported)
	}
	fw, err := reader.Firewall(ctx)
	if err != nil {
		return mayNot(err)
	}
	f, err := b.Facts(ctx, network.BarrierScope())
	if err != nil {
		return err
	}
	barriers := network.Barriers(n, f, fw)
	if err := c.diagnose(n, barriers, fw.Unread); err != nil {
		return err
	}
	if len(barriers) > 0 {
		return errFound
	}
	return nil
}

// patient is the network that doctor is asked about.
func (c *call) patient(ctx context.Context) (*network.Network, error) {
	switch name := c.arg(0); {
	case name == "":
		return network.Parse(strings.NewReader(usualNetwork))
	case isFile(name):
		return c.networkIn(name)
	default:
		nets, err := c.manager(ctx)
		if err != nil {
			return nil, err
		}
		s, err := known(ctx, nets, name)
		if err != nil {
			return nil, err
		}
		if s.Active() {
			return s.Live, nil
		}
		return s.Definition, nil
	}
}

// diagnose prints what stands in the way.
func (c *call) diagnose(n *network.Network, barriers []network.Barrier, unread []string) error {
	if c.json {
		d := diagnosis{Network: n.Name, Barriers: []barrierLine{}, Unread: unread}
		for _, b := range barriers {
			d.Barriers = append(d.Barriers, barrierLine{b.Traffic, b.Family.String(), b.Sure, b.Chain, b.Rule})
		}
		return c.print(d)
	}
	fmt.Fprintf(c.out, "# network %q on this host\n", n.Name)
	for _, barrier := range barriers {
		fmt.Fprintln(c.out, barrier)
	}
	for _, text := range unread {
		fmt.Fprintln(c.out, "cannot be read:", text)
	}
	if len(barriers)+len(unread) == 0 {
		fmt.Fprintln(c.out, "nothing of another program stands in the way")
	}
	return nil
}
