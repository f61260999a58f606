// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
)

// A disk is a small file system that can be filled.
type disk struct {
	*testing.T
	folder string
}

func newDisk(t *testing.T, folder string) *disk {
	t.Helper()
	require.NoError(t, os.MkdirAll(folder, 0o711))
	require.NoError(t, unix.Mount("tmpfs", folder, "tmpfs", 0, "size=1m,mode=0711"))
	t.Cleanup(func() { _ = unix.Unmount(folder, unix.MNT_DETACH) })
	return &disk{t, folder}
}

// fill leaves so many pages free.
func (d *disk) fill(pages int) {
	d.Helper()
	var stat unix.Statfs_t
	require.NoError(d, unix.Statfs(d.folder, &stat))
	require.Greater(d, int(stat.Bfree), pages)
	require.NoError(d, os.WriteFile(filepath.Join(d.folder, ".ballast"), make([]byte, (int64(stat.Bfree)-int64(pages))*stat.Bsize), 0o600))
}

func (d *disk) empty() {
	d.Helper()
	require.NoError(d, os.Remove(filepath.Join(d.folder, ".ballast")))
}

// TestDiskFull fills the disk with the state, and that of the servers, but for a page more each time, and then does one thing after the
// other. Each is done, or says that there is no space and has left everything as it was.
func TestDiskFull(t *testing.T) {
	for _, which := range []string{"state", "run"} {
		t.Run(which, func(t *testing.T) {
			h := newHouse(t)
			d := newDisk(t, map[string]string{"state": h.state, "run": h.run}[which])
			h.start()
			refused, seen := 0, h.host.Snapshot(t)
			for pages, all := 0, false; !all; pages += 1 + pages/3 {
				require.Less(t, pages, 40, "it is never enough")
				all = true
				for _, deed := range deedsOnDisk {
					files := h.files()
					d.fill(pages)
					err := deed.do(t.Context(), h)
					d.empty()
					if err == nil {
						require.NoError(t, deed.undo(t.Context(), h), deed.name)
						continue
					}
					all = false
					refused++
					require.ErrorIs(t, err, unix.ENOSPC, deed.name)
					h.host.Unchanged(t, seen, fmt.Sprintf("%s with %d pages refused,", deed.name, pages))
					require.Equal(t, files, h.files(), "%s with %d pages", deed.name, pages)
				}
				h.whole()
				if testing.Short() && refused > 0 {
					break
				}
			}
			t.Log(refused, "times refused")
			require.Positive(t, refused)
			h.leave()
		})
	}
}

// files are those of the state and of the servers.
func (h *house) files() []string {
	h.Helper()
	var all []string
	for _, folder := range []string{h.state, h.run} {
		require.NoError(h, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				all = append(all, path)
			}
			return err
		}))
	}
	return all
}

// A deedOnDisk is something that needs space, and what takes it back.
type deedOnDisk struct {
	name     string
	do, undo func(ctx context.Context, h *house) error
}

var deedsOnDisk = []deedOnDisk{
	{"define", func(ctx context.Context, h *house) error {
		n, err := network.Parse(strings.NewReader("<network><name>third</name><ip address='10.9.3.1' prefix='24'/></network>"))
		if err == nil {
			err = h.nets.Define(ctx, n)
		}
		return err
	}, func(ctx context.Context, h *house) error { return h.nets.Undefine(ctx, "third") }},
	{"attach", func(ctx context.Context, h *house) error {
		i, err := domainiface.Parse(strings.NewReader(`<interface type='network'><source network='lan'/><bandwidth><inbound average='1000'/></bandwidth></interface>`))
		if err == nil {
			_, err = domainiface.Attach(ctx, h.nets, domainiface.Guest{Name: "web"}, i)
		}
		return err
	}, func(ctx context.Context, h *house) error {
		for p, err := range h.nets.Ports(ctx, "lan") {
			if err != nil {
				return err
			}
			return h.nets.DeletePort(ctx, "lan", p.Port.UUID)
		}
		return nil
	}},
	{"update", update("10.9.2.77"), update("10.9.2.99")},
	{"stop", func(ctx context.Context, h *house) error { return h.nets.Stop(ctx, "other") },
		func(ctx context.Context, h *house) error { return h.nets.Start(ctx, "other") }},
	{"start", func(ctx context.Context, h *house) error {
		n, err := network.Parse(strings.NewReader(strings.ReplaceAll(strings.ReplaceAll(other, "other", "fourth"), "10.9.2", "10.9.4")))
		if err != nil {
			return err
		}
		n.Bridge.Name, n.MAC = "br4", nil
		return h.nets.Create(ctx, n)
	}, func(ctx context.Context, h *house) error { return h.nets.Stop(ctx, "fourth") }},
}

// update gives the network other another range.
func update(end string) func(ctx context.Context, h *house) error {
	return func(ctx context.Context, h *house) error {
		n, err := network.Parse(strings.NewReader(strings.Replace(other, "10.9.2.99", end, 1)))
		if err == nil {
			_, err = h.nets.Update(ctx, "other", network.UpdateRequest{Document: n, Live: true, Config: true, Disruptive: true})
		}
		return err
	}
}
