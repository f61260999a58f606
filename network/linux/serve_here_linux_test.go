// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestServerMoves: a server that runs as a program is taken over by this process and given back, and its guest keeps its
// address and its name.
func TestServerMoves(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	here := p.open(t, inProcess)
	do(t, p.Backend, serve4())
	guest := p.guest(t, "port1", "52:54:00:00:00:01")
	got := lease(t, guest, dhcpclient.Options{Hostname: "web"})
	before, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Len(t, before, 1)
	same := func(programs int, server host.Server) {
		t.Helper()
		require.Len(t, p.pids(t), programs)
		require.Equal(t, server, *p.server(t, serverName))
		leases, err := p.Leases(t.Context(), serverName)
		require.NoError(t, err)
		require.Equal(t, before, leases)
		require.Equal(t, []string{got.Addr.Addr().String()}, askAddr(t, p.ns, "web."))
	}
	op := again()
	do(t, here, op)
	same(0, op.Server)
	require.Equal(t, got.Addr, lease(t, guest, dhcpclient.Options{Hostname: "web"}).Addr)
	before, err = p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	do(t, p.Backend, op.Inverse())
	same(1, serve4().Server)
	do(t, here, op)
	same(0, op.Server)
	require.ErrorIs(t, p.Do(t.Context(), serve4()), fs.ErrExist)
	do(t, p.Backend, op.Inverse().(host.SetServer))
	same(1, serve4().Server)
	do(t, here, serve4().Inverse())
	p.empty(t)
}

// servesElsewhere starts a process that serves by itself, and returns when it does.
func (p *place) servesElsewhere(t *testing.T, op host.Serve) *exec.Cmd {
	t.Helper()
	input, err := json.Marshal(helperJob{Config: linux.Config{Namespace: p.ns.Path(), RunDir: p.dir}, Op: op})
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=here")
	cmd.Stdin = strings.NewReader(string(input))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	word := make([]byte, len("serves"))
	_, err = io.ReadFull(out, word)
	require.NoError(t, err)
	require.Equal(t, "serves", string(word))
	return cmd
}

// TestOtherProcessServes: a server that answers in another process is seen, given another document and ended by this one, and
// its leases survive the sudden end of that process.
func TestOtherProcessServes(t *testing.T) {
	t.Parallel()
	p := newPlace(t, inProcess)
	p.here = true
	other := p.servesElsewhere(t, serve4())
	require.Equal(t, serve4().Server, *p.server(t, serverName))
	require.ErrorIs(t, p.Do(t.Context(), serve4()), fs.ErrExist)
	guest := p.guest(t, "port1", "52:54:00:00:00:01")
	got := lease(t, guest, dhcpclient.Options{Hostname: "web"})
	known, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Len(t, known, 1)

	require.NoError(t, other.Process.Kill())
	_ = other.Wait()
	require.Nil(t, p.server(t, serverName))
	left, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Equal(t, known, left)

	p.servesElsewhere(t, serve4())
	require.Equal(t, []string{got.Addr.Addr().String()}, askAddr(t, p.ns, "web."), "it knows what the one before it has given out")
	do(t, p.Backend, more())
	require.Equal(t, []string{"10.9.0.60"}, askAddr(t, p.ns, "more.example."), "whoever changes it has it")
	require.Equal(t, got.Addr, lease(t, guest, dhcpclient.Options{Hostname: "web"}).Addr)
	do(t, p.Backend, more().Inverse(), serve4().Inverse())
	p.empty(t)

	p.servesElsewhere(t, serve4())
	do(t, p.Backend, serve4().Inverse())
	p.empty(t)
}

// TestNoLeaseIsLost kills the serving process again and again while guests take leases. What a guest was given is known to
// the next process, and no address is given twice.
func TestNoLeaseIsLost(t *testing.T) {
	t.Parallel()
	p := newPlace(t, inProcess)
	op := serve4()
	owners := map[string]string{}
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		other := p.servesElsewhere(t, op)
		mac := "52:54:00:00:01:0" + string(rune('0'+round))
		guest := p.guest(t, "port"+string(rune('0'+round)), mac)
		got := lease(t, guest, dhcpclient.Options{}).Addr.Addr().String()
		require.NoError(t, other.Process.Kill())
		_ = other.Wait()
		require.Empty(t, owners[got], "%s is given to %s", got, mac)
		owners[got] = mac
		leases, err := p.Leases(t.Context(), serverName)
		require.NoError(t, err)
		require.Len(t, leases, len(owners))
		for _, l := range leases {
			require.Equal(t, owners[l.Addr.String()], l.MAC.String())
		}
	}
	do(t, p.Backend, op.Inverse())
	p.empty(t)
}

// TestNothingOfTheEngineIsLeft: what serves in this process ends with the operation that ends it.
func TestNothingOfTheEngineIsLeft(t *testing.T) {
	p := newPlace(t, inProcess)
	p.here = true
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries)
	}
	do(t, p.Backend, serve4(), serve4().Inverse())
	goroutines, open := runtime.NumGoroutine(), descriptors()
	for range 20 {
		do(t, p.Backend, serve4(), more(), again(), serve4().Inverse())
	}
	testenv.WaitFor(t, 20*time.Second, "as many goroutines and descriptors as before", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors() <= open
	})
	p.empty(t)
}

// TestEngineFails: what cannot be served is said, and leaves nothing.
func TestEngineFails(t *testing.T) {
	t.Parallel()
	p := newPlace(t, inProcess)
	p.here = true
	for name, c := range map[string]struct {
		change func(s *host.Server)
		is     error
		says   string
	}{
		"no such device": {func(s *host.Server) { s.Link = "br7" }, fs.ErrNotExist, "br7"},
		"no such folder": {func(s *host.Server) { s.Subnets[0].TFTPRoot = "/nonexistent/tftp" }, fs.ErrNotExist, "/nonexistent/tftp"},
	} {
		t.Run(name, func(t *testing.T) {
			op := serve4()
			c.change(&op.Server)
			err := p.Do(t.Context(), op)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.says)
			p.empty(t)
		})
	}
	for _, step := range []string{"files", "start", "record"} {
		fault := errors.New("fault at " + step)
		p.AtServe(func(at string) error {
			if at == step {
				return fault
			}
			return nil
		})
		require.ErrorIs(t, p.Do(t.Context(), serve4()), fault)
		p.AtServe(nil)
		p.empty(t)
	}
	// One that cannot be changed while it answers goes on when the next one does not start.
	do(t, p.Backend, serve4())
	op, failed := again(), false
	op.Server.Subnets = append(op.Server.Subnets, host.Subnet{Prefix: netip.MustParsePrefix("2001:db8:9::1/64")})
	p.AtServe(func(at string) error {
		if at != "start" || failed {
			return nil
		}
		failed = true
		return errors.New("fault")
	})
	require.ErrorContains(t, p.Do(t.Context(), op), "fault")
	p.AtServe(nil)
	require.Equal(t, serve4().Server, *p.server(t, serverName))
	require.Empty(t, askAddr(t, p.ns, "more.example."))
	do(t, p.Backend, op)
	require.Equal(t, []string{"10.9.0.60"}, askAddr(t, p.ns, "more.example."))
	do(t, p.Backend, op.Inverse(), serve4().Inverse())
	p.empty(t)
}

// TestWatchServesHere: who watches hears of servers in this process and in others.
func TestWatchServesHere(t *testing.T) {
	t.Parallel()
	p := newPlace(t, inProcess)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan string, 16)
	watching := make(chan struct{})
	looks := sync.OnceFunc(func() { close(watching) })
	go func() {
		defer close(heard)
		for change, err := range p.Watch(ctx) {
			if err != nil {
				return
			}
			if change.Kind == host.Anything {
				looks()
			}
			if change.Name == serverName {
				heard <- change.String()
			}
		}
	}()
	<-watching
	next := func() string {
		select {
		case words := <-heard:
			return words
		case <-time.After(30 * time.Second):
			return "nothing"
		}
	}
	for range 2 {
		do(t, p.Backend, serve4())
		require.Equal(t, "server started "+serverName, next())
		do(t, p.Backend, serve4().Inverse())
		require.Equal(t, "server ended "+serverName, next())
	}
	other := p.servesElsewhere(t, serve4())
	require.Equal(t, "server started "+serverName, next())
	require.NoError(t, other.Process.Kill())
	_ = other.Wait()
	require.Equal(t, "server ended "+serverName, next())
	do(t, p.Backend, serve4().Inverse())
}
