// SPDX-License-Identifier: Apache-2.0

package hosttest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// connect is the code under test: it gives a guest a tap device in a bridge.
func connect(ctx context.Context, b host.Backend, guest, bridge string) error {
	tap := "tap-" + guest
	return host.Apply(ctx, b, host.Plan{
		{From: guest, Op: host.AddTap{Link: tap, MAC: host.MAC{0xfe, 0x54, 0, 0, 0, 1}, Owner: guest}},
		{From: guest, Op: host.Plug{Link: tap, Bridge: bridge}},
		{From: guest, Op: host.SetUp{Link: tap}},
	})
}

// Code that takes a host.Backend is tested on a machine in memory: what it built, what it says when something is in its
// way, and that it leaves nothing behind when a step fails.
func Example() {
	ctx := context.Background()
	m := hosttest.New("eth0")
	fmt.Println(connect(ctx, m, "web", "br0"))

	m.Do(ctx, host.AddBridge{Link: "br0", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}})
	before := m.String()
	m.Fail = func(op host.Op) error {
		if _, ok := op.(host.SetUp); ok {
			return errors.New("the cable is broken")
		}
		return nil
	}
	fmt.Println(connect(ctx, m, "web", "br0"))
	fmt.Println("as before:", m.String() == before)

	m.Fail = nil
	fmt.Println(connect(ctx, m, "web", "br0"))
	fmt.Print(m)
	// Output:
	// web: link set tap-web master br0: bridge br0: file does not exist
	// web: link set tap-web up: the cable is broken
	// as before: true
	// <nil>
	// link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0
	// link eth0 type - mac 02:00:00:00:00:01 mtu 1500 up
	// link lo type - mac 00:00:00:00:00:00 mtu 65536
	// link tap-web type tap mac fe:54:00:00:00:01 mtu 1500 up master br0 owner "web"
}

// A packet can be sent through the machine, to see what its filters do.
func ExampleMachine_Send() {
	ctx := context.Background()
	m := hosttest.New("eth0", "eth1")
	for _, op := range []host.Op{
		host.AddAddr{Link: "eth0", Prefix: prefix("192.0.2.7/24")},
		host.AddAddr{Link: "eth1", Prefix: prefix("10.0.0.1/24")},
		host.EnableForwarding{},
		host.SetFilter{Network: "lab", Filter: host.Filter{
			Network: "lab", Link: "eth1",
			To:  []host.Rule{{Established: true, Do: host.Return}, {Do: host.Drop}},
			NAT: []host.Rule{{Src: prefix("10.0.0.0/24"), Do: host.Masquerade}},
		}},
	} {
		if err := m.Do(ctx, op); err != nil {
			panic(err)
		}
	}
	inside, outside := prefix("10.0.0.5/32").Addr(), prefix("192.0.2.99/32").Addr()
	fmt.Println(m.Send(hosttest.Packet{In: "eth1", Src: inside, Dst: outside}))
	_, err := m.Send(hosttest.Packet{In: "eth0", Src: outside, Dst: inside})
	fmt.Println(errors.Is(err, fs.ErrPermission), err)
	// Output:
	// iif "eth1" oif "eth0" saddr 192.0.2.7 daddr 192.0.2.99 <nil>
	// true iif "eth0" oif "eth1" saddr 192.0.2.99 daddr 10.0.0.5: packets to eth1: counter drop: permission denied
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// A backend of one's own has a test like this.
func ExampleTestBackend() {
	test := func(t *testing.T) {
		hosttest.TestBackend(t, func(t *testing.T) host.Backend { return new(hosttest.Machine) })
	}
	_ = test
}
