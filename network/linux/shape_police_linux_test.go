// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// TestPoliceHolds has a guest send as much as it can where what it sends cannot wait, and counts what arrives.
func TestPoliceHolds(t *testing.T) {
	s := newShaper(t, 1)
	f, err := s.backend.Facts(t.Context(), host.Scope{Shaping: true})
	require.NoError(t, err)
	if !slices.Contains(f.Shaping.Means, host.Police) {
		testenv.Lack(t, "the kernel has no action police")
	}
	s.ns.Output(t, "ip", "addr", "add", "192.0.2.1/24", "dev", "br0")
	s.guests[0].Output(t, "ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
	limit := host.NewLimit(250, 0, 64)
	s.do(t, host.SetShape{Link: "veth0", Shape: host.Shape{Link: "veth0", Ingress: limit, Means: host.Police}})

	const header = 20 + 8 // of IP and UDP, which count
	var arrived atomic.Int64
	var to net.PacketConn
	s.ns.Run(t, func() { to, err = net.ListenPacket("udp4", "192.0.2.1:9") })
	require.NoError(t, err)
	t.Cleanup(func() { to.Close() })
	go func() {
		data := make([]byte, 2048)
		for {
			n, _, err := to.ReadFrom(data)
			if err != nil {
				return
			}
			arrived.Add(int64(n + header))
		}
	}()
	var from net.Conn
	s.guests[0].Run(t, func() { from, err = net.Dial("udp4", "192.0.2.1:9") })
	require.NoError(t, err)
	t.Cleanup(func() { from.Close() })
	send := func(d time.Duration) {
		data := make([]byte, 1000)
		for end := lasting(d); !end(); {
			_, _ = from.Write(data) // nobody may have answered yet who has the address
		}
	}
	send(time.Second)
	require.Greater(t, arrived.Load(), int64(64<<10), "the burst")
	tries(t, func() error {
		before, start := arrived.Load(), time.Now()
		send(2 * time.Second)
		return near("what arrives", 250, float64(arrived.Load()-before)/time.Since(start).Seconds()/1000, 0.05)
	})
	s.do(t, host.SetShape{Link: "veth0", Was: host.Shape{Link: "veth0", Ingress: limit, Means: host.Police}})
	before := arrived.Load()
	send(time.Second)
	require.Greater(t, arrived.Load()-before, int64(500_000), "without a limit")
}
