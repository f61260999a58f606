// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	descriptors := countDescriptors(t)
	for _, c := range []struct {
		path string
		want error
	}{
		{"/nonexistent", fs.ErrNotExist}, {file, fs.ErrInvalid}, {pipe, fs.ErrInvalid}, {"/", fs.ErrInvalid},
		{"/proc/self/ns/mnt", fs.ErrInvalid},
	} {
		b, err := linux.Open(linux.Config{Namespace: c.path})
		require.ErrorIs(t, err, c.want, c.path)
		require.ErrorContains(t, err, c.path)
		require.Nil(t, b)
	}
	require.Equal(t, descriptors, countDescriptors(t))
}

// Without a namespace the backend looks at that of the process. This only looks.
func TestOwnNamespace(t *testing.T) {
	b, err := linux.Open(linux.Config{RunDir: t.TempDir()})
	require.NoError(t, err)
	defer b.Close()
	links, err := net.Interfaces()
	require.NoError(t, err)
	for _, l := range links {
		f := facts(t, b, host.Scope{Links: []string{l.Name}, Sysctls: []string{"net/ipv4/conf/" + l.Name + "/forwarding"}})
		require.Equal(t, l.MTU, f.Link(l.Name).MTU)
		require.Len(t, f.Sysctls, 1)
	}
}

func TestInstance(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	other, _ := open(t)
	same, err := linux.Open(linux.Config{Namespace: ns.Path()})
	require.NoError(t, err)
	defer same.Close()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	instance := facts(t, b, host.Scope{}).Instance
	require.True(t, strings.HasPrefix(instance, strings.TrimSpace(string(boot))+"/"), instance)
	require.Equal(t, instance, facts(t, same, host.Scope{}).Instance)
	require.NotEqual(t, instance, facts(t, other, host.Scope{}).Instance)
}

func TestNamespacesAreSeparate(t *testing.T) {
	t.Parallel()
	a, nsA := open(t)
	b, nsB := open(t)
	before := nsB.Snapshot(t)
	do(t, a,
		host.AddBridge{Link: "only-in-a", MAC: bridgeMAC}, host.AddTap{Link: "tap-in-a", MAC: tapMAC}, host.SetUp{Link: "only-in-a"},
		host.SetSysctl{Key: "net/ipv4/conf/lo/arp_ignore", Value: "2", Was: "0"},
		host.EnableForwarding{}, host.EnableForwarding{IPv6: true},
	)
	nsB.Unchanged(t, before, "after work in another")
	_, err := b.OpenTap(t.Context(), "tap-in-a", 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, "2", nsA.Sysctl(t, "net/ipv4/conf/lo/arp_ignore"))
	_, err = net.InterfaceByName("only-in-a")
	require.Error(t, err, "nor in the namespace of the process")
}

// Many operations at once in two namespaces leave no thread of the process in the wrong one, and nothing where it does
// not belong.
func TestManyAtOnce(t *testing.T) {
	a, nsA := open(t)
	b, nsB := open(t)
	beforeA, beforeB := nsA.Snapshot(t), nsB.Snapshot(t)
	outside := linkNames(t)
	for i, backend := range []*linux.Backend{a, b} {
		do(t, backend, host.AddBridge{Link: fmt.Sprintf("br%d", i), MAC: bridgeMAC})
	}
	var wg sync.WaitGroup
	for i := range 50 {
		for n, backend := range []*linux.Backend{a, b} {
			wg.Go(func() {
				bridge := fmt.Sprintf("br%d", n)
				tap := host.AddTap{Link: fmt.Sprintf("ns%d-tap%d", n, i), MAC: host.MAC{2, 0, 0, 0, byte(n), byte(i)}, Owner: "guest"}
				plan := host.Plan{
					{Op: tap}, {Op: host.Plug{Link: tap.Link, Bridge: bridge}},
					{Op: host.SetSysctl{Key: "net/ipv4/conf/" + tap.Link + "/arp_ignore", Value: "1", Was: "0"}},
					{Op: host.SetUp{Link: tap.Link}},
				}
				if err := host.Apply(t.Context(), backend, plan); err != nil {
					t.Error(err)
				}
				files, err := backend.OpenTap(t.Context(), tap.Link, 1)
				if err != nil {
					t.Error(err)
				}
				for _, file := range files {
					file.Close()
				}
				if i%2 == 0 {
					if err := host.Revert(t.Context(), backend, plan); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	for n, backend := range []*linux.Backend{a, b} {
		want := []string{"lo", fmt.Sprintf("br%d", n)}
		for i := 1; i < 50; i += 2 {
			want = append(want, fmt.Sprintf("ns%d-tap%d", n, i))
		}
		var got []string
		for _, l := range facts(t, backend, host.Scope{All: true}).Links {
			got = append(got, l.Name)
		}
		require.ElementsMatch(t, want, got)
		for i := 1; i < 50; i += 2 {
			do(t, backend, host.DelTap{Link: fmt.Sprintf("ns%d-tap%d", n, i), MAC: host.MAC{2, 0, 0, 0, byte(n), byte(i)}})
		}
		do(t, backend, host.DelBridge{Link: fmt.Sprintf("br%d", n), MAC: bridgeMAC})
	}
	nsA.Unchanged(t, beforeA, "in the end")
	nsB.Unchanged(t, beforeB, "in the end")
	require.Equal(t, outside, linkNames(t))
	home, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	require.NoError(t, err)
	require.NotEmpty(t, threads)
	for _, thread := range threads {
		// A thread may have ended since.
		if there, err := os.Readlink(thread); err == nil {
			require.Equal(t, home, there, thread)
		}
	}
}

func linkNames(t *testing.T) []string {
	t.Helper()
	links, err := net.Interfaces()
	require.NoError(t, err)
	var names []string
	for _, l := range links {
		names = append(names, l.Name)
	}
	return names
}

func TestCloseGivesBackDescriptors(t *testing.T) {
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	before := countDescriptors(t)
	b, err := linux.Open(linux.Config{Namespace: ns.Path()})
	require.NoError(t, err)
	bridge := host.AddBridge{Link: "br0", MAC: bridgeMAC}
	tap := host.AddTap{Link: "tap0", MAC: tapMAC}
	veth := host.AddVeth{Link: "veth0", MAC: tapMAC, Peer: "eth0", PeerMAC: bridgeMAC, Namespace: testenv.New(t).Path()}
	before++ // the other namespace
	do(t, b, bridge, tap, veth, host.EnableForwarding{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := b.Facts(t.Context(), host.Scope{All: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Error(t, b.Do(t.Context(), tap))
	require.Greater(t, countDescriptors(t), before)
	require.NoError(t, b.Close())
	require.Equal(t, before, countDescriptors(t))
	require.NoError(t, b.Close(), "twice")
	require.ErrorIs(t, b.Do(t.Context(), bridge), os.ErrClosed)
	_, err = b.Facts(t.Context(), host.Scope{Links: []string{"br0"}})
	require.ErrorIs(t, err, os.ErrClosed)
}

// Without CAP_NET_ADMIN everything but the packet filter can be seen and nothing done. Only this test's own thread is without.
func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	bridge := host.AddBridge{Link: "br0", MAC: bridgeMAC}
	do(t, b, bridge, host.AddTap{Link: "tap0", MAC: tapMAC}, host.SetUp{Link: "br0"})
	before := ns.Snapshot(t)
	ops := []host.Op{
		host.AddBridge{Link: "br1", MAC: bridgeMAC, Owner: "x"}, bridge.Inverse(),
		host.AddTap{Link: "tap1", MAC: tapMAC}, host.DelTap{Link: "tap0", MAC: tapMAC},
		host.Plug{Link: "tap0", Bridge: "br0"}, host.SetUp{Link: "tap0"}, host.SetMTU{Link: "tap0", MTU: 1400, Was: 1500},
		host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0"}},
		routedOps()[2], host.AddRoute{Dest: routedOps()[3].(host.AddAddr).Prefix.Masked(), Gateway: routedOps()[3].(host.AddAddr).Prefix.Addr(), Link: "br0", Metric: 1},
	}
	results := make(chan error, 2*len(ops))
	go func() {
		defer close(results)
		runtime.LockOSThread()
		restore, err := dropNetAdmin()
		if err != nil {
			results <- err
			return
		}
		for _, op := range ops {
			if err := b.Do(context.Background(), op); !errors.Is(err, fs.ErrPermission) {
				results <- fmt.Errorf("%s: %w", op, err)
			}
		}
		if _, err := b.Facts(context.Background(), host.Scope{Links: []string{"br0"}, Routes: true, Forwarding: true}); err != nil {
			results <- err
		}
		// Nobody has to be able to remove devices who has discarded none, and others would see them.
		if err := b.Settle(context.Background()); err != nil {
			results <- err
		}
		// A filter that cannot be seen is not taken for one that is not there.
		if _, err := b.Facts(context.Background(), host.Scope{All: true}); !errors.Is(err, fs.ErrPermission) {
			results <- fmt.Errorf("all facts: %w", err)
		}
		if err := restore(); err != nil {
			results <- err
			return // and the thread ends
		}
		runtime.UnlockOSThread()
	}()
	for err := range results {
		t.Error(err)
	}
	ns.Unchanged(t, before, "without permission")
}

// dropNetAdmin takes CAP_NET_ADMIN from this thread until it is restored.
func dropNetAdmin() (restore func() error, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil, err
	}
	all := data
	data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	return func() error { return unix.Capset(&header, &all[0]) }, unix.Capset(&header, &data[0])
}

// What has ended before it began does nothing.
func TestCanceledBeforehand(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	before := ns.Snapshot(t)
	require.ErrorIs(t, b.Do(ctx, host.AddBridge{Link: "br0", MAC: bridgeMAC}), context.DeadlineExceeded)
	_, err := b.OpenTap(ctx, "tap0", 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	ns.Unchanged(t, before, "after nothing")
}
