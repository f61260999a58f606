// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestKeepTap: a tap that is kept open is handed over once, to whoever asks the backend; nobody else gets its only queue before.
func TestKeepTap(t *testing.T) {
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	b, err := linux.Open(linux.Config{Namespace: ns.Path()})
	require.NoError(t, err)
	defer b.Close()
	stranger, err := linux.Open(linux.Config{Namespace: ns.Path()})
	require.NoError(t, err)
	defer stranger.Close()
	ctx := t.Context()
	tap := host.AddTap{Link: "tap0", MAC: host.MAC{2, 0, 0, 0, 0, 1}, VnetHdr: true}

	b.KeepTap("tap0")
	require.NoError(t, b.Do(ctx, tap))
	_, err = stranger.OpenTap(ctx, "tap0", 1)
	require.ErrorIs(t, err, unix.EBUSY)
	files, err := b.OpenTap(ctx, "tap0", 1)
	require.NoError(t, err)
	request, err := unix.NewIfreq("")
	require.NoError(t, err)
	require.NoError(t, unix.IoctlIfreq(int(files[0].Fd()), unix.TUNGETIFF, request))
	require.Equal(t, "tap0", request.Name())
	require.NotZero(t, request.Uint16()&unix.IFF_VNET_HDR)
	require.NoError(t, files[0].Close())
	for range 2 { // as any other from now on
		files, err = stranger.OpenTap(ctx, "tap0", 1)
		require.NoError(t, err)
		require.NoError(t, files[0].Close())
	}
	require.NoError(t, b.Do(ctx, tap.Inverse()))

	before := openFiles(t)
	for name, end := range map[string]func(release func()){
		"removed":  func(func()) { require.NoError(t, b.Do(ctx, tap.Inverse())) },
		"released": func(release func()) { release(); require.NoError(t, b.Do(ctx, tap.Inverse())) },
	} {
		release := b.KeepTap("tap0")
		require.NoError(t, b.Do(ctx, tap), name)
		require.Equal(t, before+1, openFiles(t), name)
		end(release)
		require.Equal(t, before, openFiles(t), name)
	}
	b.KeepTap("tap0")()
	require.NoError(t, b.Do(ctx, tap))
	require.Equal(t, before, openFiles(t), "nobody wants it any more")
	require.NoError(t, b.Do(ctx, tap.Inverse()))

	b.KeepTap("tap0")
	_, err = b.OpenTap(ctx, "tap0", 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
	b.KeepTap("tap0")
	require.NoError(t, b.Do(ctx, tap))
	require.NoError(t, b.Close())
	files, err = stranger.OpenTap(ctx, "tap0", 1)
	require.NoError(t, err, "closed with the backend")
	require.NoError(t, files[0].Close())
}

func openFiles(t *testing.T) int {
	t.Helper()
	found, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(found)
}
