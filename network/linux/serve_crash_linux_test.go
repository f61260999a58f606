// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

func TestServerIsKilled(t *testing.T) { onBoth(t, testServerIsKilled) }

func testServerIsKilled(t *testing.T, p *place) {
	op := serve4()
	do(t, p.Backend, op)
	g := p.guest(t, "port1", "52:54:00:00:00:01")
	before := lease(t, g, dhcpclient.Options{Hostname: "web"})
	known, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Len(t, known, 1)

	p.kill(t)
	require.Nil(t, p.server(t, serverName))
	require.Empty(t, p.ns.Programs(t))
	p.noZombies(t)
	left, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Equal(t, known, left)

	// A start that fails loses nothing.
	fault := errors.New("fault")
	p.AtServe(func(string) error { return fault })
	require.ErrorIs(t, p.Do(t.Context(), op), fault)
	p.AtServe(nil)

	do(t, p.Backend, op)
	again, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Equal(t, known, again)
	require.Equal(t, before.Addr, lease(t, g, dhcpclient.Options{Hostname: "web"}).Addr)

	p.kill(t)
	do(t, p.Backend, op.Inverse())
	p.empty(t)
	p.noZombies(t)
	require.ErrorIs(t, p.Do(t.Context(), op.Inverse()), fs.ErrNotExist)
}

// kill kills the only server and waits until it is dead.
func (p *place) kill(t testing.TB) {
	t.Helper()
	if p.here {
		// What is left of a process that has ended: its files, and a lock that nobody has.
		require.NoError(t, p.Close())
		p.Backend = p.open(t)
		return
	}
	pids := p.pids(t)
	require.Len(t, pids, 1)
	require.NoError(t, syscall.Kill(pids[0], syscall.SIGKILL))
	testenv.WaitFor(t, 10*time.Second, "the server is dead", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pids[0]))
		return err != nil || strings.Contains(string(stat), "(dnsmasq) Z")
	})
}

// noZombies checks that no child of this process that was a server waits to be reaped.
func (p *place) noZombies(t testing.TB) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, serverName, "process.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	require.NoError(t, err)
	var record struct{ PID int }
	require.NoError(t, json.Unmarshal(data, &record))
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", record.PID))
	require.False(t, err == nil && strings.Contains(string(stat), "(dnsmasq) Z"), "%s", stat)
}

// TestStarterIsKilled kills the starter at each step of a start.
func TestStarterIsKilled(t *testing.T) {
	t.Parallel()
	for _, step := range linux.ServeSteps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			op := serve4()
			helper(t, "crash "+step, helperJob{linux.Config{Namespace: p.ns.Path(), RunDir: p.dir}, op})
			if step == "wait" || step == "record" {
				testenv.WaitFor(t, 10*time.Second, "the server is found", func() bool { return p.server(t, serverName) != nil })
				require.Len(t, p.pids(t), 1)
				require.ErrorIs(t, p.Do(t.Context(), op), fs.ErrExist)
				require.Len(t, p.pids(t), 1)
			} else {
				require.Nil(t, p.server(t, serverName))
			}
			do(t, p.Backend, op.Inverse())
			p.empty(t)
			do(t, p.Backend, op, op.Inverse())
			p.empty(t)
		})
	}
	t.Run("served again", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		op := serve4()
		helper(t, "crash start", helperJob{linux.Config{Namespace: p.ns.Path(), RunDir: p.dir}, op})
		do(t, p.Backend, op, op.Inverse())
		p.empty(t)
	})
}

// TestForeignProcess is never ended, whatever the files say of it.
func TestForeignProcess(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	op := serve4()
	like := []string{"dnsmasq", "--conf-file=" + filepath.Join(p.dir, serverName, "dnsmasq.conf"), "--keep-in-foreground"}
	for _, foreign := range []*exec.Cmd{idle(t, "sleep"), idle(t, like...)} {
		pid := foreign.Process.Pid
		do(t, p.Backend, op)
		file := filepath.Join(p.dir, serverName, "process.json")
		for _, record := range []string{
			fmt.Sprintf(`{"PID":%d,"Start":%s}`, pid, startOf(t, pid)), fmt.Sprintf(`{"PID":%d,"Start":1}`, pid), `{"PID":1,"Start":1}`, `{"PID":0}`, `{"PID":-1}`, `x`,
		} {
			require.NoError(t, os.WriteFile(file, []byte(record), 0o600))
			require.NotNil(t, p.server(t, serverName), "%s: the real one is found", record)
		}
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"PID":%d,"Start":%s}`, pid, startOf(t, pid)), 0o600))
		do(t, p.Backend, op.Inverse())
		p.empty(t)

		do(t, p.Backend, op)
		p.kill(t)
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"PID":%d,"Start":%s}`, pid, startOf(t, pid)), 0o600))
		require.Nil(t, p.server(t, serverName))
		do(t, p.Backend, op.Inverse())
		p.empty(t)
	}
}

func startOf(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	require.NoError(t, err)
	return strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))[19]
}

func TestHalfStates(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	op := serve4()
	folder := filepath.Join(p.dir, serverName)
	for _, test := range []struct {
		name string
		harm func()
	}{
		{"no folder", func() { require.NoError(t, os.RemoveAll(folder)) }},
		{"no lock", func() { require.NoError(t, os.Remove(filepath.Join(folder, "log"))) }},
		{"no record", func() { require.NoError(t, os.Remove(filepath.Join(folder, "process.json"))) }},
		{"nothing but the lock", func() {
			for _, name := range []string{"process.json", "server.json", "dnsmasq.conf", "leases"} {
				require.NoError(t, os.Remove(filepath.Join(folder, name)))
			}
		}},
		{"another configuration", func() {
			require.NoError(t, os.WriteFile(filepath.Join(folder, "dnsmasq.conf"), []byte("port=0\n"), 0o600))
		}},
		{"another server", func() {
			require.NoError(t, os.WriteFile(filepath.Join(folder, "server.json"), []byte(`{"Name":"x"}`), 0o600))
		}},
	} {
		do(t, p.Backend, op)
		test.harm()
		if test.name != "no record" {
			require.Nil(t, p.server(t, serverName), test.name)
		}
		do(t, p.Backend, op.Inverse())
		p.empty(t)
	}
	for _, content := range []string{"", "x", "{}"} {
		require.NoError(t, os.MkdirAll(folder, 0o700))
		if content != "" {
			for _, name := range []string{"process.json", "server.json", "dnsmasq.conf", "leases", "ending"} {
				require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
			}
		}
		require.Nil(t, p.server(t, serverName))
		do(t, p.Backend, op.Inverse())
		p.empty(t)
		require.NoError(t, os.MkdirAll(folder, 0o700))
		do(t, p.Backend, op, op.Inverse())
		p.empty(t)
	}
}
