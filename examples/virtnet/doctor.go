// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// usualNetwork is what doctor asks about if it is given no document: the network that most hosts have.
const usualNetwork = `<network><name>default</name><forward/><bridge name='virbr0'/><ip address='192.168.122.1' prefix='24'>
<dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>`

// doctor prints what other programs' packet filters on this host will stop of a network's traffic.
func doctor(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	layout := flags.String("format", "text", "")
	if flags.Parse(args) != nil || flags.NArg() > 1 || *layout != "text" && *layout != "json" {
		return errUsage
	}
	n, err := network.Parse(strings.NewReader(usualNetwork))
	if err != nil {
		return err
	}
	if flags.NArg() == 1 {
		d, err := check(flags.Arg(0))
		if err != nil {
			return printViolations(out, flags.Arg(0), err)
		}
		var ok bool
		if n, ok = d.(*network.Network); !ok {
			return fmt.Errorf("%s is no <network>", flags.Arg(0))
		}
	}
	b, where, err := thisHost()
	if err != nil {
		return err
	}
	return diagnose(ctx, out, n, b, where, *layout == "json")
}

// A barrierLine is a barrier as a line of JSON. Family is ipv4 or ipv6.
type barrierLine struct {
	Traffic   network.Traffic   `json:"traffic"`
	Family    string            `json:"family"`
	Certainty network.Certainty `json:"certainty"`
	Chain     string            `json:"chain"`
	Rule      string            `json:"rule"`
}

// diagnose prints what stands in the way of a network's packets, and finds something if anything does.
func diagnose(ctx context.Context, out io.Writer, n *network.Network, b host.Backend, where string, asJSON bool) error {
	reader, ok := b.(host.FirewallReader)
	if !ok {
		return fmt.Errorf("%s does not tell what other programs filter", where)
	}
	fw, err := reader.Firewall(ctx)
	if err != nil {
		return err
	}
	f, err := b.Facts(ctx, host.Scope{Routes: true})
	if err != nil {
		return err
	}
	barriers := network.Barriers(n, f, fw)
	if asJSON {
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		for _, barrier := range barriers {
			line := barrierLine{barrier.Traffic, barrier.Family.String(), barrier.Sure, barrier.Chain, barrier.Rule}
			if err := lines.Encode(line); err != nil {
				return err
			}
		}
		for _, unread := range fw.Unread {
			if err := lines.Encode(map[string]string{"unread": unread}); err != nil {
				return err
			}
		}
	} else {
		printBarriers(out, n, fw, barriers, where)
	}
	if len(barriers) > 0 {
		return errFound
	}
	return nil
}

func printBarriers(out io.Writer, n *network.Network, fw *host.Firewall, barriers []network.Barrier, where string) {
	fmt.Fprintf(out, "# network %q on %s\n", n.Name, where)
	for _, barrier := range barriers {
		fmt.Fprintln(out, barrier)
	}
	for _, unread := range fw.Unread {
		fmt.Fprintln(out, "cannot be read:", unread)
	}
	if len(barriers)+len(fw.Unread) == 0 {
		fmt.Fprintln(out, "nothing of another program stands in the way")
	}
}
