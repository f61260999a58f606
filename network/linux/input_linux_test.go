// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const guardedDocument = `<network><name>c</name><forward mode='route'/><bridge name='brc' stp='off'/>
<ip address='10.77.3.1' prefix='24'><dhcp><range start='10.77.3.100' end='10.77.3.109'/></dhcp></ip>
<ip family='ipv6' address='fd77:3::1' prefix='64'/>
<v:input policy='reject' xmlns:v='https://go-virtnet.github.io/schemas/network/1.0'><v:allow proto='tcp' port='80-81'/></v:input></network>`

// Guests that are kept from the host reach what they live by and what is allowed, and nothing else, at none of its addresses.
func TestInput(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.serve("host")
	n, err := network.Parse(strings.NewReader(guardedDocument))
	require.NoError(t, err)
	require.NoError(t, n.Validate())
	require.NoError(t, w.nets.Create(t.Context(), n))
	w.guest("c1", "brc", "10.77.3.2/24", "fd77:3::2/64", "10.77.3.1/24", "fd77:3::1/64")
	require.Contains(t, lease(t, w.all["c1"], dhcpclient.Options{}).Addr.String(), "10.77.3.10")
	testenv.NeedProgram(t, "ping")
	for _, v := range []struct{ gateway, outer, guest string }{{"10.77.3.1", outer4, "10.77.3.2"}, {"fd77:3::1", outer6, "fd77:3::2"}} {
		for _, addr := range []string{v.gateway, v.outer} {
			w.all["c1"].Output(t, "ping", "-c", "1", "-W", "10", addr)
			for port, want := range map[int]string{80: "host:80 to " + v.guest, 81: "host:81 to " + v.guest} {
				got, err := w.ask("c1", "tcp", addr, port)
				require.NoError(t, err, "%s port %d", addr, port)
				require.Equal(t, want, got)
			}
			w.refuses("c1", addr, 82)
			w.refuses("c1", addr, 7)
			_, err := w.ask("c1", "udp", addr, 80)
			require.Error(t, err, "only tcp is allowed")
		}
		// Names: the server takes the connection.
		_, err := w.dial("c1", "tcp", net.JoinHostPort(v.gateway, "53"))
		require.NoError(t, err)
		w.knowsNames("c1", v.gateway)
		// What the host asks is answered, and what goes through it is not its own.
		w.answers("host", v.guest, 7, "c1:7 to "+v.gateway)
	}
	w.all["far"].Output(t, "ip", "route", "replace", "default", "via", "192.0.2.1")
	w.answers("c1", "192.0.2.2", 7, "far:7 to 10.77.3.2")
	w.answers("outside", outer4, 82, "host:82 to 198.51.100.2")

	// Somebody breaks it, and it is repaired.
	w.host.Output(t, "nft", "delete", "table", "inet", "virtnet-input")
	w.answers("c1", outer4, 82, "host:82 to 10.77.3.2")
	_, err = w.nets.Repair(t.Context(), network.RepairRequest{Network: "c"})
	require.NoError(t, err)
	w.refuses("c1", outer4, 82)
	require.NoError(t, w.nets.Stop(t.Context(), "c"))
	require.NotContains(t, w.host.Output(t, "nft", "list", "ruleset"), "virtnet-input")
}

// TestInputServes has a guest that is kept from the host get all that the network itself has for it: addresses of both
// families, the way out that is advertised when it asks, names and files, from dnsmasq and from this process.
func TestInputServes(t *testing.T) { onBoth(t, testInputServes) }

func testInputServes(t *testing.T, p *place) {
	testenv.NeedProgram(t, "nft")
	p.ns.Output(t, "ip", "link", "del", "br0") // the network makes it
	nets, err := network.Open(t.Context(), p.Backend, network.Memory())
	require.NoError(t, err)
	root := readable(t)
	file := bytes.Repeat([]byte("0123456789abcdef"), 1<<10) // several packets, to a port that the server chooses
	require.NoError(t, os.WriteFile(filepath.Join(root, "boot"), file, 0o644))
	n, err := network.Parse(strings.NewReader(`<network><name>n</name><forward mode='route'/><bridge name='br0' stp='off'/><dns><host ip='10.9.0.7'><hostname>seven</hostname></host></dns>
<ip address='10.9.0.1' prefix='24'><tftp root='` + root + `'/><dhcp><range start='10.9.0.100' end='10.9.0.109'/></dhcp></ip>
<ip family='ipv6' address='2001:db8:9::1' prefix='64'><dhcp><range start='2001:db8:9::100' end='2001:db8:9::109'/></dhcp></ip>
<v:input policy='reject' xmlns:v='https://go-virtnet.github.io/schemas/network/1.0'/></network>`))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	g := p.guest(t, "port1", "52:54:00:00:00:01")

	require.Contains(t, lease(t, g, dhcpclient.Options{}).Addr.String(), "10.9.0.10")
	require.Contains(t, lease6(t, g).String(), "2001:db8:9::10")
	testenv.WaitFor(t, 30*time.Second, "a router has answered", func() bool {
		return strings.Contains(g.Output(t, "ip", "-6", "route", "show", "default"), "default via fe80::")
	})
	g.Output(t, "ip", "addr", "add", "10.9.0.50/24", "dev", "eth0")
	got, refused := fetch(t, g, "boot")
	require.Empty(t, refused)
	require.True(t, bytes.Equal(file, got), "%d bytes", len(got))
	require.Equal(t, []string{"10.9.0.7"}, askAddr4(t, g, "10.9.0.1", "seven."))

	p.ns.Run(t, func() {
		l, err := net.Listen("tcp4", ":82")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
	})
	g.Run(t, func() { _, err = net.DialTimeout("tcp4", "10.9.0.1:82", soon) })
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	require.NoError(t, nets.Stop(t.Context(), "n"))
}

// knowsNames asks the server of a network for a name over UDP; any answer will do.
func (w *town) knowsNames(from, server string) {
	w.t.Helper()
	conn, err := w.dial(from, "udp", net.JoinHostPort(server, "53"))
	require.NoError(w.t, err)
	_, err = conn.Write([]byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04host\x07example\x00\x00\x01\x00\x01"))
	require.NoError(w.t, err)
	require.NoError(w.t, conn.SetReadDeadline(time.Now().Add(soon)))
	answer := make([]byte, 512)
	size, err := conn.Read(answer)
	require.NoError(w.t, err)
	require.Equal(w.t, "\x12\x34", string(answer[:min(size, 2)]))
}
