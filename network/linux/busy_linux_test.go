// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"io/fs"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// A program that starts others has its descriptors in them for a moment, until they have become another program: a tap
// that was just made, or closed, is held by them meanwhile.
func TestOpenTapWhileProgramsStart(t *testing.T) {
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	b, err := Open(Config{Namespace: ns.Path()})
	require.NoError(t, err)
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var starters sync.WaitGroup
	defer starters.Wait()
	defer cancel()
	for range 4 {
		starters.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("true").Run()
			}
		})
	}
	tap := host.AddTap{Link: "tap0", MAC: host.MAC{2, 0, 0, 0, 0, 1}}
	for range 25 {
		require.NoError(t, b.Do(ctx, tap))
		for range 5 {
			files, err := b.OpenTap(ctx, "tap0", 1)
			require.NoError(t, err)
			require.NoError(t, files[0].Close())
		}
		require.NoError(t, b.Do(ctx, tap.Inverse()))
	}
}

// Who has given up does not wait for a tap that somebody uses.
func TestOpenTapGivesUp(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	b, err := Open(Config{Namespace: testenv.New(t).Path()})
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, b.Do(t.Context(), host.AddTap{Link: "tap0", MAC: host.MAC{2, 0, 0, 0, 0, 1}}))
	files, err := b.OpenTap(t.Context(), "tap0", 1)
	require.NoError(t, err)
	defer files[0].Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = b.OpenTap(ctx, "tap0", 1)
	require.ErrorIs(t, err, unix.EBUSY)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A bridge that goes away while a link is plugged into it is one that is not there, whatever the kernel calls it.
func TestPlugIntoABridgeThatGoesAway(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	ns := testenv.New(t)
	b, err := Open(Config{Namespace: ns.Path()})
	require.NoError(t, err)
	defer b.Close()
	bridge := host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 0, 2}}
	require.NoError(t, b.Do(t.Context(), host.AddTap{Link: "tap0", MAC: host.MAC{2, 0, 0, 0, 0, 1}}))
	require.NoError(t, b.Do(t.Context(), bridge))
	plug := host.Plug{Link: "tap0", Bridge: "br0"}
	link, seen, err := b.portAndBridge(plug.Link, plug.Bridge)
	require.NoError(t, err)
	require.NoError(t, b.Do(t.Context(), bridge.Inverse()))
	err = b.plugInto(link, seen, plug)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, fs.ErrInvalid)
	// Another one of that name is not the one that was looked at.
	require.NoError(t, b.Do(t.Context(), bridge))
	require.ErrorIs(t, b.plugInto(link, seen, plug), fs.ErrNotExist)
	// What the kernel really refuses stays what it is.
	require.ErrorIs(t, b.Do(t.Context(), host.Plug{Link: "lo", Bridge: "br0"}), fs.ErrInvalid)
}
