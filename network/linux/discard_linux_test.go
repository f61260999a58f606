// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// discard discards by operations that have to succeed.
func discard(t *testing.T, b *linux.Backend, ops ...host.Op) {
	t.Helper()
	require.NoError(t, errors.Join(b.Discard(t.Context(), ops)...))
}

// openTwice gives two backends for one namespace, as two programs have them. The first leaves to the second what it discards.
func openTwice(t *testing.T) (dying, next *linux.Backend, ns *testenv.Namespace) {
	t.Helper()
	next, ns = open(t)
	dying = openAs(t, linux.Config{Namespace: ns.Path()})
	dying.ReapLate()
	return dying, next, ns
}

var (
	doomedBridge = host.AddBridge{Link: "br0", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}}
	doomedTap    = host.AddTap{Link: "tap0", MAC: host.MAC{0xfe, 0x54, 0, 0, 0, 1}}
)

// Devices that were discarded go by themselves, and a backend that is closed waits for them.
func TestDiscardedGoBehind(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	before := ns.Snapshot(t)
	gone := func() bool { return !strings.Contains(ns.Output(t, "ip", "link"), "br0") }
	do(t, b, doomedBridge)
	discard(t, b, doomedBridge.Inverse())
	testenv.WaitFor(t, 20*time.Second, "the bridge is gone", gone)
	do(t, b, doomedBridge, doomedTap, host.Plug{Link: "tap0", Bridge: "br0"})
	discard(t, b, doomedBridge.Inverse(), doomedTap.Inverse())
	require.NoError(t, b.Close())
	ns.Unchanged(t, before, "after Close")
}

// What a program discarded that was killed is in nobody's way: others do not see it, can have its name, and remove it.
func TestDiscardedByAnother(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(t *testing.T, next *linux.Backend){
		"settled":    func(t *testing.T, next *linux.Backend) { require.NoError(t, next.Settle(t.Context())) },
		"made again": func(t *testing.T, next *linux.Backend) { do(t, next, doomedTap); do(t, next, doomedTap.Inverse()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dying, next, ns := openTwice(t)
			before := ns.Snapshot(t)
			do(t, dying, doomedTap, host.SetUp{Link: "tap0"})
			discard(t, dying, doomedTap.Inverse())
			require.Contains(t, ns.Output(t, "ip", "link"), "tap0")
			f, err := next.Facts(t.Context(), host.Scope{All: true, Links: []string{"tap0"}})
			require.NoError(t, err)
			require.Nil(t, f.Link("tap0"))
			require.ErrorIs(t, next.Do(t.Context(), doomedTap.Inverse()), fs.ErrNotExist)
			finish(t, next)
			ns.Unchanged(t, before, name)
		})
	}
}

// A device waits for one that was discarded and has its place under another name: the name in the namespace of a guest, or
// the whole device below.
func TestDiscardedMakesRoom(t *testing.T) {
	t.Parallel()
	guest := testenv.New(t)
	pair := host.AddVeth{
		Link: "veth0", MAC: host.MAC{0xfe, 0x54, 0, 0, 0, 3}, Peer: "eth0", PeerMAC: host.MAC{0x52, 0x54, 0, 0, 0, 3}, Namespace: guest.Path(),
	}
	otherPair := pair
	otherPair.Link = "veth1"
	shared := host.AddMacvtap{Link: "mv0", Lower: "tap0", Mode: "bridge", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 5}}
	alone := host.AddMacvtap{Link: "mv1", Lower: "tap0", Mode: host.Passthru, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 6}, Was: doomedTap.MAC}
	for name, c := range map[string]struct {
		before       []host.Op
		first, other host.Op
	}{
		"peer": {nil, pair, otherPair}, "passthru": {[]host.Op{doomedTap}, shared, alone},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := open(t)
			do(t, b, c.before...)
			do(t, b, c.first)
			require.Error(t, b.Do(t.Context(), c.other), "there is no room for both")
			b.ReapLate()
			discard(t, b, c.first.Inverse())
			do(t, b, c.other)
			require.Error(t, b.Do(t.Context(), c.first))
		})
	}
}

// Who watches is told once that a discarded device is gone, and by its name.
func TestWatchDiscarded(t *testing.T) {
	t.Parallel()
	b, _ := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tap1 := doomedTap
	tap1.Link = "tap1"
	do(t, b, doomedBridge, host.SetUp{Link: "br0"}, doomedTap, host.Plug{Link: "tap0", Bridge: "br0"}, host.SetUp{Link: "tap0"})
	removed := map[string]int{}
	for c, err := range b.Watch(ctx) {
		require.NoError(t, err)
		switch {
		case c.Kind == host.Anything:
			discard(t, b, doomedTap.Inverse(), doomedBridge.Inverse())
			require.NoError(t, b.Settle(ctx))
			do(t, b, tap1)
		case c.Kind == host.LinkRemoved:
			removed[c.Name]++
		case c.Kind == host.LinkAdded && c.Name == "tap1":
			require.Equal(t, map[string]int{"tap0": 1, "br0": 1}, removed)
			return
		default:
			require.NotEmpty(t, c.Name, c.Kind)
		}
	}
	t.Fatal(ctx.Err())
}
