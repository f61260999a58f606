// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

func TestManyServers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const count = 20
	ops := make([]host.Serve, count)
	for i := range ops {
		op := serve4()
		op.Server.Name = fmt.Sprintf("net-%d", i)
		op.Server.Link = fmt.Sprintf("many%d", i)
		addr := netip.AddrFrom4([4]byte{10, 20, byte(i), 1})
		op.Server.Subnets[0] = host.Subnet{
			Prefix: netip.PrefixFrom(addr, 24),
			Ranges: []host.Range{{Start: addr.Next(), End: addr.Next().Next()}},
		}
		p.ns.Output(t, "ip", "link", "add", op.Server.Link, "type", "bridge")
		p.ns.Output(t, "ip", "addr", "add", op.Server.Subnets[0].Prefix.String(), "dev", op.Server.Link)
		ops[i] = op
	}
	all := func(f func(host.Serve) error) {
		errs := make([]error, count)
		var group sync.WaitGroup
		for i, op := range ops {
			group.Go(func() { errs[i] = f(op) })
		}
		group.Wait()
		require.NoError(t, errors.Join(errs...))
	}
	for range 2 {
		all(func(op host.Serve) error { return p.Do(t.Context(), op) })
		require.Len(t, p.pids(t), count)
		f, err := p.Facts(t.Context(), host.Scope{All: true})
		require.NoError(t, err)
		require.Len(t, f.Servers, count)
		for _, op := range ops {
			require.True(t, op.Holds(f))
		}
		all(func(op host.Serve) error { return p.Do(t.Context(), op.Inverse()) })
		p.empty(t)
	}
}

// TestSameServer is started and ended by many at once.
func TestSameServer(t *testing.T) { onBoth(t, testSameServer) }

func testSameServer(t *testing.T, p *place) {
	other := p.open(t)
	for range 5 {
		var group sync.WaitGroup
		var mu sync.Mutex
		started := 0
		for i := range 6 {
			b := []*linux.Backend{p.Backend, other}[i%2]
			group.Go(func() {
				err := b.Do(t.Context(), serve4())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					started++
				} else if !errors.Is(err, fs.ErrExist) {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
		require.Equal(t, 1, started)
		require.Len(t, p.pids(t), 1)
		ended := 0
		for i := range 4 {
			b := []*linux.Backend{p.Backend, other}[i%2]
			group.Go(func() {
				err := b.Do(t.Context(), serve4().Inverse())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					ended++
				} else if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
		require.NotZero(t, ended)
		p.empty(t)
	}
}

func TestTiedServers(t *testing.T) {
	t.Parallel()
	tie := func(c *linux.Config) { c.TieServers = true }
	t.Run("to a process that is killed", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		helper(t, "tie", helperJob{linux.Config{Namespace: p.ns.Path(), RunDir: p.dir, TieServers: true}, serve4()})
		testenv.WaitFor(t, 10*time.Second, "the server ends", func() bool { return len(p.ns.Programs(t)) == 0 })
		require.Nil(t, p.server(t, serverName))
		do(t, p.Backend, serve4().Inverse())
		p.empty(t)
	})
	t.Run("not", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		helper(t, "tie", helperJob{linux.Config{Namespace: p.ns.Path(), RunDir: p.dir}, serve4()})
		require.NotNil(t, p.server(t, serverName))
		do(t, p.Backend, serve4().Inverse())
		p.empty(t)
	})
	t.Run("to a backend", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		b, err := linux.Open(linux.Config{Namespace: p.ns.Path(), RunDir: p.dir, TieServers: true})
		require.NoError(t, err)
		do(t, b, serve4())
		require.NotNil(t, p.server(t, serverName))
		require.NoError(t, b.Close())
		require.Empty(t, p.ns.Programs(t))
		do(t, p.Backend, serve4().Inverse())
		p.empty(t)
	})
	t.Run("and ended", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		b := p.open(t, tie)
		do(t, b, serve4(), serve4().Inverse(), serve4(), serve4().Inverse())
		p.empty(t)
	})
}
