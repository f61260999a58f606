// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// BenchmarkPortForward asks a guest at a port of the host, beside other networks with ten ports each: each time on a connection of
// its own, and always on the same.
func BenchmarkPortForward(b *testing.B) {
	for _, others := range []int{0, 200} {
		w := newTown(b)
		w.settle(`<forward mode='nat'/>`)
		backend := w.nets.Backend()
		for i := range others {
			f := host.Filter{Network: fmt.Sprint("other", i), Link: fmt.Sprint("o", i)}
			for port := range 10 {
				at := uint16(10000 + 10*i + port)
				f.Forwards = append(f.Forwards, host.PortForward{
					Proto: host.UDP, Ports: host.PortRange{From: at, To: at}, To: netip.AddrFrom4([4]byte{10, 200, byte(i), 2}), ToPort: uint16(100 + 2*port),
				})
			}
			require.NoError(b, backend.Do(b.Context(), host.SetFilter{Network: f.Network, Filter: f}))
		}
		ask := func(b *testing.B, conn net.Conn) {
			if _, err := talk(b, conn); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("others=%d/new", others), func(b *testing.B) {
			w.all["outside"].Run(b, func() {
				for b.Loop() {
					conn, err := net.Dial("udp", outer4+":8080")
					if err != nil {
						b.Fatal(err)
					}
					ask(b, conn)
					conn.Close()
				}
			})
		})
		b.Run(fmt.Sprintf("others=%d/known", others), func(b *testing.B) {
			conn, err := w.dial("outside", "udp", outer4+":8080")
			require.NoError(b, err)
			for b.Loop() {
				ask(b, conn)
			}
		})
	}
}
