// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/qos"
)

// changed is a network with something to change.
const changed = `<network><name>net0</name><forward mode='nat'/><bridge name='vn0'/><bandwidth>%s</bandwidth>
<ip address='10.128.0.1' prefix='16'><dhcp><range start='10.128.0.2' end='10.128.9.254'/></dhcp></ip>%s</network>`

// limited is a guest of it.
const limited = `<interface type='network'><source network='net0' portgroup='office'/><target dev='%s'/><model type='virtio'/>
<bandwidth><inbound average='1000'/></bandwidth></interface>`

// BenchmarkChange changes one thing of a network that runs, with one guest on it and with a thousand.
func BenchmarkChange(b *testing.B) {
	testenv.NeedRoot(b)
	one, many := newChanger(b, 1), newChanger(b, 1000)
	for _, c := range []struct {
		name   string
		change func(c *changer, back bool) error
	}{
		{"DHCP_host", (*changer).dhcpHost},
		{"bandwidth", (*changer).bandwidth},
		{"bandwidth_of_a_port", (*changer).bandwidthOfPort},
		{"portgroup", (*changer).portGroup},
	} {
		b.Run(c.name+"/ports=1000", func(b *testing.B) {
			workOf := func(who *changer) work {
				return work{func() error { return c.change(who, false) }, func() error { return c.change(who, true) }}
			}
			pairs := takeTurns(b, doing, workOf(one), workOf(many))
			b.ReportMetric(micros(pairs[0]), "one-µs")
			b.ReportMetric(micros(pairs[1]), "own-µs")
			b.ReportMetric(times(pairs), "xone")
		})
	}
}

// A changer is a host with a network and guests.
type changer struct {
	*bed
	b    *testing.B
	last guest
}

func newChanger(b *testing.B, ports int) *changer {
	b.Helper()
	c := &changer{bed: newBedIn(b, testenv.New(b).Path()), b: b}
	c.start(b, parsed(b, fmt.Sprintf(changed, "<inbound average='1000000'/>", "<portgroup name='office'/>")))
	all := newGuests(b, c.bed, kind{name: "tap", iface: limited})
	c.last = all.add(ports)
	return c
}

func (c *changer) update(u network.Update) error {
	_, err := c.nets.Update(c.b.Context(), "net0", network.UpdateRequest{Updates: []network.Update{u}, Live: true})
	return err
}

func (c *changer) dhcpHost(back bool) error {
	u := network.Update{Section: network.SectionDHCPHost, Command: network.CommandAddLast, XML: "<host mac='52:54:00:00:00:01' ip='10.128.10.1'/>"}
	if back {
		u.Command = network.CommandDelete
	}
	return c.update(u)
}

func (c *changer) portGroup(back bool) error {
	u := network.Update{Section: network.SectionPortGroup, Command: network.CommandModify, XML: "<portgroup name='office'><bandwidth><inbound average='500'/></bandwidth></portgroup>"}
	if back {
		u.XML = "<portgroup name='office'/>"
	}
	return c.update(u)
}

func (c *changer) bandwidth(back bool) error {
	average := 2_000_000
	if back {
		average = 1_000_000
	}
	next := parsed(c.b, fmt.Sprintf(changed, fmt.Sprintf("<inbound average='%d'/>", average), "<portgroup name='office'/>"))
	_, err := c.nets.Update(c.b.Context(), "net0", network.UpdateRequest{Document: next, Live: true})
	return err
}

func (c *changer) bandwidthOfPort(back bool) error {
	rate := &qos.Rate{}
	require.NoError(c.b, rate.Average.UnmarshalText([]byte("2000")))
	if back {
		require.NoError(c.b, rate.Average.UnmarshalText([]byte("1000")))
	}
	return c.last.port.SetBandwidth(c.b.Context(), rate, nil)
}
