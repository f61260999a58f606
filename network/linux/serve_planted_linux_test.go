// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// stranger is a user that is neither root nor nobody.
const stranger = 4711

// TestRunDirOfOthers: a folder of servers that another user could have made or changed is not used.
func TestRunDirOfOthers(t *testing.T) { onBoth(t, testRunDirOfOthers) }

func testRunDirOfOthers(t *testing.T, p *place) {
	for name, spoil := range map[string]func(t *testing.T, at string){
		"everybody may write": func(t *testing.T, at string) { require.NoError(t, os.Chmod(at, 0o777)) },
		"a stranger's":        func(t *testing.T, at string) { require.NoError(t, os.Chown(at, stranger, stranger)) },
	} {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(t.TempDir(), "run")
			require.NoError(t, os.Mkdir(at, 0o711))
			spoil(t, at)
			held, err := os.Open(at)
			require.NoError(t, err)
			defer held.Close()
			require.NoError(t, unix.Flock(int(held.Fd()), unix.LOCK_EX), "others can keep nobody waiting")
			b := p.open(t, func(c *linux.Config) { c.RunDir = at })
			require.ErrorIs(t, b.Do(t.Context(), serve4()), fs.ErrPermission)
			_, err = b.Facts(t.Context(), serve4().Scope())
			require.ErrorIs(t, err, fs.ErrPermission)
			_, err = b.Facts(t.Context(), host.Scope{All: true})
			require.ErrorIs(t, err, fs.ErrPermission)
			entries, err := os.ReadDir(at)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

// planted are the files that a server has or had, and those by which they are replaced.
var planted = []string{
	"dnsmasq.conf", "dnsmasq.conf.new", "dnsmasq.next", "hosts", "hosts.new", "names", "names.new", "leases", "leases.new", "log",
	"server.json", "server.json.new", "process.json", "process.json.new", "ending", "ending.new", "journal", "control",
}

// TestServePlanted: whatever lies in the place of a server's files, what it leads to is neither changed nor believed, and nobody
// waits for it. The server starts and ends, or it is refused.
func TestServePlanted(t *testing.T) { onBoth(t, testServePlanted) }

func testServePlanted(t *testing.T, p *place) {
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("kept"), 0o640))
	for kind, plant := range map[string]func(path string) error{
		"a link": func(path string) error { return os.Symlink(victim, path) },
		"a pipe": func(path string) error { return unix.Mkfifo(path, 0o600) },
	} {
		for i, name := range planted {
			if testing.Short() && i%4 != 0 {
				continue
			}
			t.Run(kind+" for "+name, func(t *testing.T) {
				folder := filepath.Join(p.dir, serverName)
				require.NoError(t, os.MkdirAll(folder, 0o711))
				require.NoError(t, plant(filepath.Join(folder, name)))
				_, err := p.Facts(t.Context(), serve4().Scope())
				require.Equal(t, name == "log", err != nil, "%v", err)
				err = p.Do(t.Context(), serve4())
				if name == "log" || name == "journal" {
					require.ErrorContains(t, err, folder)
					require.NoError(t, os.RemoveAll(folder))
				} else {
					require.NoError(t, err)
					require.NotNil(t, p.server(t, serverName))
					require.NoError(t, p.Do(t.Context(), serve4().Inverse()))
				}
				p.empty(t)
				kept, err := os.ReadFile(victim)
				require.NoError(t, err)
				require.Equal(t, "kept", string(kept))
				info, err := os.Stat(victim)
				require.NoError(t, err)
				require.Equal(t, fs.FileMode(0o640), info.Mode())
			})
		}
	}
}
