// SPDX-License-Identifier: Apache-2.0

package rtnl_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/stretchr/testify/require"
)

// connect opens a connection in a namespace of the test's own, and counts how often it had to go inside.
func connect(t testing.TB) (*rtnl.Conn, *testenv.Namespace, *atomic.Int32) {
	t.Helper()
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	var entered atomic.Int32
	c, err := rtnl.Open(func(f func() error) (err error) {
		entered.Add(1)
		ns.Run(t, func() { err = f() })
		return err
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c, ns, &entered
}

func TestOpenOutside(t *testing.T) {
	_, err := rtnl.Open(func(func() error) error { return fs.ErrPermission })
	require.ErrorIs(t, err, fs.ErrPermission)
}

func TestLinksNamed(t *testing.T) {
	t.Parallel()
	c, ns, entered := connect(t)
	var names []string
	for i := range 70 { // more than are asked for together
		name := fmt.Sprintf("br%d", i)
		require.NoError(t, c.AddBridge(rtnl.NewLink{Name: name, MAC: [6]byte{2, 0, 0, 0, 0, byte(i)}}, rtnl.BridgeOptions{}))
		names = append(names, name, "no"+name)
	}
	ns.Output(t, "ip", "link", "property", "add", "dev", "br3", "altname", "another-name-of-br3")
	found, err := c.LinksNamed(append(names, "another-name-of", "", "x/y")...)
	require.NoError(t, err)
	require.Len(t, found, 70)
	for i, l := range found {
		require.Equal(t, fmt.Sprintf("br%d", i), l.Name)
		require.Equal(t, [6]byte{2, 0, 0, 0, 0, byte(i)}, l.MAC)
	}
	all, err := c.Links()
	require.NoError(t, err)
	require.Len(t, all, 71)
	var indexes []int
	for _, l := range all {
		indexes = append(indexes, l.Index, l.Index, 0, 99999)
	}
	byIndex, err := c.LinkNames(indexes...)
	require.NoError(t, err)
	require.Len(t, byIndex, 71)
	require.Equal(t, "lo", byIndex[1])
	_, err = c.Link("nobr0")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualValues(t, 1, entered.Load(), "one socket serves them all")
}

// Lists stay whole while links come and go: the kernel interrupts many of them.
func TestListsUnderChurn(t *testing.T) {
	t.Parallel()
	c, ns, _ := connect(t)
	steady := []string{"lo"}
	for i := range 40 {
		name := fmt.Sprintf("stay%d", i)
		require.NoError(t, c.AddBridge(rtnl.NewLink{Name: name, MAC: [6]byte{2, 0, 0, 0, 1, byte(i)}}, rtnl.BridgeOptions{}))
		steady = append(steady, name)
	}
	guest := testenv.New(t)
	there, err := os.Open(guest.Path())
	require.NoError(t, err)
	defer there.Close()
	var wg sync.WaitGroup
	var rounds atomic.Int32
	done := make(chan struct{})
	for n := range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				name := fmt.Sprintf("go%d", n)
				if err := c.AddVeth(rtnl.NewLink{Name: name, MAC: [6]byte{2, 0, 0, 0, 2, byte(n)}}, rtnl.NewLink{Name: name, MAC: [6]byte{2, 0, 0, 0, 3, byte(n)}}, int(there.Fd())); err != nil {
					t.Error(err)
					return
				}
				l, err := c.Link(name)
				if err == nil {
					err = c.DelLink(l.Index)
				}
				if err != nil {
					t.Error(err)
					return
				}
				rounds.Add(1)
			}
		})
	}
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		links, err := c.Links()
		require.NoError(t, err)
		var names []string
		for _, l := range links {
			names = append(names, l.Name)
		}
		for _, name := range steady {
			require.Equal(t, 1, count(names, name), "%s in %v", name, names)
		}
		_, err = c.Addrs(0)
		require.NoError(t, err)
		_, err = c.Routes(false)
		require.NoError(t, err)
	}
	close(done)
	wg.Wait()
	require.Positive(t, rounds.Load())
	require.NotContains(t, ns.Output(t, "ip", "link"), "go0")
}

func count(list []string, item string) (n int) {
	for _, s := range list {
		if s == item {
			n++
		}
	}
	return n
}

// A removal takes the kernel tens of milliseconds. Others do not wait for its socket.
func TestSocketsAreNotShared(t *testing.T) {
	t.Parallel()
	c, _, entered := connect(t)
	var wg sync.WaitGroup
	for i := range 8 {
		name := fmt.Sprintf("br%d", i)
		require.NoError(t, c.AddBridge(rtnl.NewLink{Name: name, MAC: [6]byte{2, 0, 0, 0, 0, byte(i)}}, rtnl.BridgeOptions{}))
	}
	require.EqualValues(t, 1, entered.Load())
	for i := range 8 {
		wg.Go(func() {
			l, err := c.Link(fmt.Sprintf("br%d", i))
			if err == nil {
				err = c.DelLink(l.Index)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Greater(t, entered.Load(), int32(1))
	links, err := c.Links()
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(links, func(l rtnl.Link) bool { return l.Name == "lo" }))
	require.Len(t, links, 1)
}

func TestDelLinkWithoutIndex(t *testing.T) {
	t.Parallel()
	c, _, _ := connect(t)
	for _, index := range []int{0, -1, 99999} {
		require.ErrorIs(t, c.DelLink(index), fs.ErrNotExist)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	c, _, _ := connect(t)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	_, err := c.Links()
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = c.Cookie()
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = c.Routes(true)
	require.ErrorIs(t, err, os.ErrClosed)
	prefix := netip.MustParsePrefix("127.0.0.9/32")
	require.ErrorIs(t, c.AddAddr(1, prefix), os.ErrClosed)
	require.ErrorIs(t, c.DelAddr(1, prefix), os.ErrClosed)
	require.ErrorIs(t, c.DelRoute(rtnl.Route{Dest: prefix, Gateway: prefix.Addr(), Index: 1, Metric: 1}), os.ErrClosed)
}
