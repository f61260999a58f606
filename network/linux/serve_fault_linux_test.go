// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

// helperEnv makes the test's program do something else, in a process of its own: "crash STEP", "tie", or "idle".
const helperEnv = "VIRTNET_TEST_HELPER"

var _ = runHelper()

// helperJob is what a helper reads from its standard input.
type helperJob struct {
	Config linux.Config
	Op     host.Serve
}

// runHelper ends a process that was started as a helper.
func runHelper() bool {
	what, step, _ := strings.Cut(os.Getenv(helperEnv), " ")
	if what == "" {
		return false
	}
	if what == "idle" {
		select {}
	}
	die := func() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	var job helperJob
	err := json.NewDecoder(os.Stdin).Decode(&job)
	if err == nil {
		var b *linux.Backend
		if b, err = linux.Open(job.Config); err == nil {
			b.AtServe(func(at string) error {
				if at == step {
					return die()
				}
				return nil
			})
			err = b.Do(context.Background(), job.Op)
		}
	}
	if err == nil && what == "tie" {
		err = die()
	}
	fmt.Fprintln(os.Stderr, "helper goes on:", err)
	os.Exit(1)
	return true
}

// helper runs a helper that has to be killed by itself.
func helper(t *testing.T, what string, job helperJob) {
	t.Helper()
	input, err := json.Marshal(job)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+what)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "%s%s", out, exit.Stderr)
}

// idle starts a process that does nothing, with these arguments.
func idle(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := &exec.Cmd{Path: os.Args[0], Args: args, Env: append(os.Environ(), helperEnv+"=idle")}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.Signal(0)), "a foreign process was ended")
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	})
	testenv.WaitFor(t, 10*time.Second, "the process has its arguments", func() bool {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
		return err == nil && string(line) == strings.Join(args, "\x00")+"\x00"
	})
	return cmd
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config func(*linux.Config)
		op     func(*host.Serve)
		want   error
		text   string
	}{
		{name: "no program", config: func(c *linux.Config) { c.Dnsmasq = "/nonexistent/dnsmasq" }, want: errors.ErrUnsupported, text: "no program /nonexistent/dnsmasq"},
		{name: "no link", op: func(o *host.Serve) { o.Server.Link = "br7" }, want: fs.ErrNotExist, text: "server on br7"},
		{name: "bad option", op: func(o *host.Serve) { o.Server.Options = []string{"no-such-thing=1"} }, want: fs.ErrInvalid, text: "dnsmasq: bad option at line"},
		{name: "option twice", op: func(o *host.Serve) { o.Server.Options = []string{"log-facility=/tmp/x"} }, want: fs.ErrInvalid, text: "dnsmasq: illegal repeated keyword"},
		{name: "name", op: func(o *host.Serve) { o.Server.Domain = "a b" }, want: fs.ErrInvalid, text: `name "a b" has the character ' '`},
		{name: "lease", op: func(o *host.Serve) {
			o.Leases = []host.Lease{{Addr: netip.MustParseAddr("10.9.0.11"), Hostname: "a b"}}
		}, want: fs.ErrInvalid, text: `host name "a b"`},
		{name: "tftp folder", op: func(o *host.Serve) { o.Server.Subnets[0].TFTPRoot = "/nonexistent/tftp" }, text: "/nonexistent/tftp"},
		{name: "another program", config: func(c *linux.Config) { c.Dnsmasq = "true" }, text: "dnsmasq: ended"},
		{name: "no program at all", config: func(c *linux.Config) { c.Dnsmasq = "false" }, text: "ended with status 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			b, op := p.Backend, serve4()
			if test.config != nil {
				b = p.open(t, test.config)
			}
			if test.op != nil {
				test.op(&op)
			}
			err := b.Do(t.Context(), op)
			require.Error(t, err)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			require.ErrorContains(t, err, test.text)
			p.empty(t)
		})
	}
}

func TestServeWithoutProgramInPath(t *testing.T) {
	p := newPlace(t)
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	err := p.Do(t.Context(), serve4())
	t.Setenv("PATH", path)
	// The usual places are looked at as well.
	if _, statErr := os.Stat("/usr/sbin/dnsmasq"); statErr == nil {
		require.NoError(t, err)
		do(t, p.Backend, serve4().Inverse())
		return
	}
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, err, exec.ErrNotFound)
	require.ErrorContains(t, err, "no dnsmasq in PATH")
}

func TestServeFailsAtEachStep(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, step := range linux.ServeSteps {
		fault := errors.New("fault at " + step)
		p.AtServe(func(at string) error {
			if at == step {
				return fault
			}
			return nil
		})
		require.ErrorIs(t, p.Do(t.Context(), serve4()), fault)
		p.empty(t)

		ctx, cancel := context.WithCancel(t.Context())
		p.AtServe(func(at string) error {
			if at == step {
				cancel()
			}
			return nil
		})
		err := p.Do(ctx, serve4())
		if err == nil && (step == "wait" || step == "record") {
			// It answers already.
			do(t, p.Backend, serve4().Inverse())
		} else {
			require.ErrorIs(t, err, context.Canceled, step)
		}
		p.empty(t)
		cancel()
	}
	p.AtServe(nil)
	do(t, p.Backend, serve4(), serve4().Inverse())
	p.empty(t)
}

// TestServeFailsLate ends the program while it is waited for.
func TestServeFailsLate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.AtServe(func(at string) error {
		if at == "wait" {
			testenv.WaitFor(t, 10*time.Second, "the program runs", func() bool { return len(p.pids(t)) == 1 })
			require.NoError(t, syscall.Kill(p.pids(t)[0], syscall.SIGKILL))
		}
		return nil
	})
	require.ErrorContains(t, p.Do(t.Context(), serve4()), "dnsmasq: ")
	p.empty(t)
}

func TestPortIsHeld(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, network, address, want string }{
		{"dns", "udp4", "10.9.0.1:53", "port 53"},
		{"dns of all addresses", "udp4", "0.0.0.0:53", "port 53"},
		{"dns by tcp", "tcp4", "10.9.0.1:53", "port 53"},
		{"dhcp", "udp4", "0.0.0.0:67", "port 67"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.ns.Run(t, func() {
				var err error
				if strings.HasPrefix(test.network, "tcp") {
					var l net.Listener
					l, err = net.Listen(test.network, test.address)
					t.Cleanup(func() { l.Close() })
				} else {
					var c net.PacketConn
					c, err = net.ListenPacket(test.network, test.address)
					t.Cleanup(func() { c.Close() })
				}
				require.NoError(t, err)
			})
			err := p.Do(t.Context(), serve4())
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			require.ErrorContains(t, err, fmt.Sprintf("(%s is held by process %d, %q)", test.want, os.Getpid(), "linux.test"))
			p.empty(t)
		})
	}
}

func TestServerIsKilled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
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
	pids := p.pids(t)
	require.Len(t, pids, 1)
	require.NoError(t, syscall.Kill(pids[0], syscall.SIGKILL))
	testenv.WaitFor(t, 10*time.Second, "the server is dead", func() bool {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pids[0]))
		return err != nil || len(data) == 0
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
func TestSameServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
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
