// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// again is serve4 with a host more, and a text.
func again() host.SetServer {
	o := more()
	o.Server.DNS.TXT = []host.TXTRecord{{Name: "again.example", Value: "yes"}}
	return o
}

// more is serve4 with a host more.
func more() host.SetServer {
	o := host.SetServer{Server: serve4().Server, Was: serve4().Server}
	o.Server.DNS.Hosts = []host.NameRecord{{Addr: netip.MustParseAddr("10.9.0.60"), Names: []string{"more.example"}}}
	return o
}

// TestServeAgain replaces a server whose guest has a lease.
func TestServeAgain(t *testing.T) { onBoth(t, testServeAgain) }

func testServeAgain(t *testing.T, p *place) {
	require.ErrorIs(t, p.Do(t.Context(), again()), fs.ErrNotExist)
	p.empty(t)
	do(t, p.Backend, serve4())
	guest := p.guest(t, "port1", "52:54:00:00:00:01")
	got := lease(t, guest, dhcpclient.Options{Hostname: "web"})
	before, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Len(t, before, 1)
	first := p.pids(t)

	do(t, p.Backend, again())
	require.Len(t, p.pids(t), 1)
	if !p.here {
		require.NotEqual(t, first, p.pids(t))
	}
	require.Equal(t, again().Server, *p.server(t, serverName))
	leases, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Equal(t, before, leases)
	require.Equal(t, []string{"10.9.0.60"}, askAddr(t, p.ns, "more.example."))
	require.Equal(t, []string{got.Addr.Addr().String()}, askAddr(t, p.ns, "web."), "the name of the guest is known")
	require.Equal(t, got.Addr, lease(t, guest, dhcpclient.Options{Hostname: "web"}).Addr)

	do(t, p.Backend, again().Inverse())
	require.Equal(t, serve4().Server, *p.server(t, serverName))
	do(t, p.Backend, serve4().Inverse())
	p.empty(t)
}

// What the program refuses does not end the server that runs.
func TestServeAgainRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	do(t, p.Backend, serve4())
	first := p.pids(t)
	bad := again()
	bad.Server.Options = []string{"no-such-thing=1"}
	err := p.Do(t.Context(), bad)
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.ErrorContains(t, err, "bad option")
	away := again()
	away.Server.Link = "br7"
	require.ErrorIs(t, p.Do(t.Context(), away), fs.ErrNotExist)
	require.Equal(t, first, p.pids(t))
	require.Equal(t, serve4().Server, *p.server(t, serverName))
	do(t, p.Backend, serve4().Inverse())
	p.empty(t)
}

// A server that cannot be replaced goes on, with the leases it has given out.
func TestServeAgainFailsAtEachStep(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	given := host.Lease{Addr: netip.MustParseAddr("10.9.0.12"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 9}, Hostname: "nine"}
	op := serve4()
	op.Leases = []host.Lease{given}
	do(t, p.Backend, op)
	for _, step := range append([]string{"end"}, []string{"files", "start", "wait", "record"}...) {
		fault := errors.New("fault at " + step)
		failed := false
		p.AtServe(func(at string) error {
			if at == step && !failed {
				failed = true
				return fault
			}
			return nil
		})
		require.ErrorIs(t, p.Do(t.Context(), again()), fault)
		p.AtServe(nil)
		require.Len(t, p.pids(t), 1, step)
		require.Equal(t, op.Server, *p.server(t, serverName), step)
		leases, err := p.Leases(t.Context(), serverName)
		require.NoError(t, err)
		require.Equal(t, []host.Lease{given}, leases, step)
	}
	do(t, p.Backend, again(), host.Unserve{Server: again().Server})
	p.empty(t)
}

// TestServeMore gives a server other hosts and names: it is the same process, with all that it knows.
func TestServeMore(t *testing.T) { onBoth(t, testServeMore) }

func testServeMore(t *testing.T, p *place) {
	do(t, p.Backend, serve4())
	guest := p.guest(t, "port1", "52:54:00:00:00:01")
	got := lease(t, guest, dhcpclient.Options{Hostname: "web"})
	before, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	first := p.pids(t)

	op := more()
	op.Server.Subnets = slices.Clone(op.Server.Subnets)
	op.Server.Subnets[0].Hosts = append(slices.Clone(op.Server.Subnets[0].Hosts), host.StaticHost{
		MAC: host.MAC{0x52, 0x54, 0, 0, 0, 0x77}, Name: "fresh", Addr: netip.MustParseAddr("10.9.0.77"),
	})
	do(t, p.Backend, op)
	require.Equal(t, first, p.pids(t))
	require.Equal(t, op.Server, *p.server(t, serverName))
	leases, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Equal(t, before, leases)
	require.Equal(t, []string{"10.9.0.60"}, askAddr(t, p.ns, "more.example."))
	require.Equal(t, []string{"10.9.0.77"}, askAddr(t, p.ns, "fresh."))
	require.Equal(t, []string{got.Addr.Addr().String()}, askAddr(t, p.ns, "web."))
	fresh := p.guest(t, "port2", "52:54:00:00:00:77")
	require.Equal(t, "10.9.0.77", lease(t, fresh, dhcpclient.Options{}).Addr.Addr().String())

	do(t, p.Backend, op.Inverse())
	require.Equal(t, first, p.pids(t))
	require.Equal(t, serve4().Server, *p.server(t, serverName))
	require.Empty(t, askAddr(t, p.ns, "more.example."))

	for _, step := range []string{"reread", "told"} {
		fault := errors.New("fault at " + step)
		p.AtServe(func(at string) error {
			if at == step {
				return fault
			}
			return nil
		})
		require.ErrorIs(t, p.Do(t.Context(), op), fault)
		p.AtServe(nil)
		require.Equal(t, first, p.pids(t), step)
		require.Equal(t, serve4().Server, *p.server(t, serverName), step)
		require.Empty(t, askAddr(t, p.ns, "more.example."), step)
	}
	p.kill(t)
	require.ErrorIs(t, p.Do(t.Context(), op), fs.ErrNotExist)
	do(t, p.Backend, serve4().Inverse())
	p.empty(t)
}

// A server that cannot read its files has all in its configuration, and is started again for other hosts.
func TestServeMoreWhereNothingCanBeRead(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	require.NoError(t, os.Mkdir(p.dir, 0o700))
	do(t, p.Backend, serve4())
	first := p.pids(t)
	do(t, p.Backend, more())
	if !p.here {
		require.NotEqual(t, first, p.pids(t))
	}
	require.Equal(t, []string{"10.9.0.60"}, askAddr(t, p.ns, "more.example."))
	do(t, p.Backend, host.Unserve{Server: more().Server})
	p.empty(t)
}
