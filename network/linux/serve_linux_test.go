// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
	"github.com/stretchr/testify/require"
)

const serverName = "3b0fa6a1-5c53-4f4a-9a9e-0e5f3c1d2b77"

// A place is where servers run in a test: a namespace with a bridge, and a folder.
type place struct {
	*linux.Backend
	ns  *testenv.Namespace
	dir string
	// here is whether servers answer in this process.
	here bool
}

// onBoth runs a test with servers that are programs, and with servers in this process.
func onBoth(t *testing.T, test func(t *testing.T, p *place)) {
	t.Parallel()
	t.Run("dnsmasq", func(t *testing.T) {
		t.Parallel()
		test(t, newPlace(t))
	})
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, inProcess)
		p.here = true
		test(t, p)
	})
}

func inProcess(c *linux.Config) { c.Engine = &serve.Engine{} }

// newPlace makes a place with the bridge br0, 10.9.0.1/24 and 2001:db8:9::1/64.
func newPlace(t testing.TB, change ...func(*linux.Config)) *place {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	ns := testenv.New(t)
	ns.Run(t, func() {
		for _, file := range []string{"all", "default"} {
			require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+file+"/accept_dad", []byte("0"), 0))
		}
	})
	ns.Output(t, "ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
	ns.Output(t, "ip", "addr", "add", "10.9.0.1/24", "dev", "br0")
	ns.Output(t, "ip", "addr", "add", "2001:db8:9::1/64", "dev", "br0", "nodad")
	ns.Output(t, "ip", "link", "set", "br0", "up")
	folder := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o711)) // so that a server can read its files
	p := &place{ns: ns, dir: filepath.Join(folder, "run")}
	p.Backend = p.open(t, change...)
	return p
}

// open opens a backend for the place.
func (p *place) open(t testing.TB, change ...func(*linux.Config)) *linux.Backend {
	t.Helper()
	config := linux.Config{Namespace: p.ns.Path(), RunDir: p.dir}
	if p.here {
		inProcess(&config)
	}
	for _, f := range change {
		f(&config)
	}
	b, err := linux.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// pids are the processes that serve in the place: those of dnsmasq, or this one.
func (p *place) pids(t testing.TB) (list []int) {
	t.Helper()
	if p.here {
		if p.server(t, serverName) != nil {
			list = append(list, os.Getpid())
		}
		return list
	}
	for _, program := range p.ns.Programs(t) {
		var pid int
		var name string
		_, err := fmt.Sscan(program, &pid, &name)
		require.NoError(t, err)
		if name == "dnsmasq" {
			list = append(list, pid)
		}
	}
	return list
}

// empty checks that no process and no file is left.
func (p *place) empty(t testing.TB) {
	t.Helper()
	require.Empty(t, p.ns.Programs(t))
	entries, err := os.ReadDir(p.dir)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	require.Empty(t, entries)
}

func (p *place) server(t testing.TB, name string) *host.Server {
	t.Helper()
	f, err := p.Facts(t.Context(), host.Scope{Servers: []string{name}})
	require.NoError(t, err)
	return f.Server(name)
}

func serve4() host.Serve {
	return host.Serve{Server: host.Server{
		Name: serverName, Link: "br0",
		DNS: &host.DNS{NoForward: true},
		Subnets: []host.Subnet{{
			Prefix: netip.MustParsePrefix("10.9.0.1/24"),
			Ranges: []host.Range{{Start: netip.MustParseAddr("10.9.0.10"), End: netip.MustParseAddr("10.9.0.20")}},
		}},
	}}
}

func TestServe(t *testing.T) { onBoth(t, testServe) }

func testServe(t *testing.T, p *place) {
	op := serve4()
	require.Nil(t, p.server(t, serverName))
	begin := time.Now()
	require.NoError(t, p.Do(t.Context(), op))
	t.Logf("answers after %s", time.Since(begin))
	require.Len(t, p.pids(t), 1)

	f, err := p.Facts(t.Context(), op.Scope())
	require.NoError(t, err)
	require.True(t, op.Holds(f))
	require.True(t, op.Holds(f), "%+v", f.Servers)
	f, err = p.open(t).Facts(t.Context(), host.Scope{All: true})
	require.NoError(t, err)
	require.True(t, op.Holds(f), "found by another backend")
	elsewhere, err := linux.Open(linux.Config{Namespace: testenv.New(t).Path(), RunDir: p.dir})
	require.NoError(t, err)
	defer elsewhere.Close()
	f, err = elsewhere.Facts(t.Context(), host.Scope{All: true})
	require.NoError(t, err)
	require.Empty(t, f.Servers, "not of that namespace")
	require.ErrorIs(t, elsewhere.Do(t.Context(), op.Inverse()), fs.ErrNotExist)

	err = p.Do(t.Context(), op)
	require.ErrorIs(t, err, fs.ErrExist)
	require.Len(t, p.pids(t), 1)
	err = filepath.Walk(p.dir, func(path string, info os.FileInfo, err error) error {
		require.NoError(t, err)
		want := os.FileMode(0o600)
		switch {
		case info.IsDir():
			want = 0o711 // to be passed through, not to be listed
		case info.Name() == "hosts", info.Name() == "names":
			want = 0o644
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	})
	require.NoError(t, err)

	begin = time.Now()
	require.NoError(t, p.Do(t.Context(), op.Inverse()))
	t.Logf("ended after %s", time.Since(begin))
	p.empty(t)
	require.Nil(t, p.server(t, serverName))
	require.ErrorIs(t, p.Do(t.Context(), op.Inverse()), fs.ErrNotExist)
	_, err = p.Leases(t.Context(), serverName)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
