// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

// supervise runs Supervise until the returned function is called, and tells its events.
func supervise(t *testing.T, b *linux.Backend, s linux.Supervision) (events chan linux.ServerEvent, end func()) {
	t.Helper()
	events = make(chan linux.ServerEvent, 100)
	s.Event = func(e linux.ServerEvent) { events <- e }
	ctx, cancel := context.WithCancelCause(t.Context())
	why, done := errors.New("enough"), make(chan error, 1)
	go func() { done <- b.Supervise(ctx, s) }()
	end = func() {
		cancel(why)
		select {
		case err := <-done:
			require.ErrorIs(t, err, why)
		case <-time.After(10 * time.Second):
			t.Fatal("Supervise goes on")
		}
	}
	return events, end
}

func next(t *testing.T, events chan linux.ServerEvent) linux.ServerEvent {
	t.Helper()
	select {
	case e := <-events:
		require.Equal(t, serverName, e.Name)
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
		return linux.ServerEvent{}
	}
}

func TestSupervise(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	op := serve4()
	do(t, p.Backend, op)
	lease(t, p.guest(t, "port1", "52:54:00:00:00:01"), dhcpclient.Options{Hostname: "web"})
	known, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Len(t, known, 1)

	events, end := supervise(t, p.Backend, linux.Supervision{FirstDelay: 10 * time.Millisecond})
	for i := range 3 {
		p.kill(t)
		down := next(t, events)
		require.False(t, down.Up)
		require.ErrorContains(t, down.Err, "dnsmasq: ended by signal: killed")
		require.Equal(t, 10*time.Millisecond<<i, down.Retry)
		require.Equal(t, linux.ServerEvent{Name: serverName, Up: true}, next(t, events))
		require.NotNil(t, p.server(t, serverName))
		again, err := p.Leases(t.Context(), serverName)
		require.NoError(t, err)
		require.Equal(t, known, again)
	}
	// What is ended on purpose stays down, and what is started later is looked after.
	do(t, p.Backend, op.Inverse())
	p.empty(t)
	do(t, p.Backend, op)
	p.kill(t)
	require.Equal(t, 10*time.Millisecond, next(t, events).Retry)
	require.True(t, next(t, events).Up)

	// A start that fails is repeated.
	p.ns.Output(t, "ip", "link", "set", "br0", "down")
	p.ns.Output(t, "ip", "link", "set", "br0", "name", "br1")
	p.kill(t)
	require.Equal(t, 20*time.Millisecond, next(t, events).Retry)
	failed := next(t, events)
	require.False(t, failed.Up)
	require.ErrorIs(t, failed.Err, os.ErrNotExist)
	require.Equal(t, 40*time.Millisecond, failed.Retry)
	p.ns.Output(t, "ip", "link", "set", "br1", "name", "br0")
	p.ns.Output(t, "ip", "link", "set", "br0", "up")
	for !next(t, events).Up {
	}
	end()
	p.kill(t)
	require.Nil(t, p.server(t, serverName))
	do(t, p.Backend, op.Inverse())
	require.Empty(t, events)
	p.empty(t)
}

// TestSuperviseStable forgets failures of long ago, and finds servers that died before.
func TestSuperviseStable(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	do(t, p.Backend, serve4())
	p.kill(t)
	events, end := supervise(t, p.open(t), linux.Supervision{FirstDelay: 5 * time.Millisecond, Stable: time.Nanosecond})
	for range 3 {
		down := next(t, events)
		require.Equal(t, 5*time.Millisecond, down.Retry)
		require.True(t, next(t, events).Up)
		p.kill(t)
	}
	next(t, events)
	end()
	do(t, p.Backend, serve4().Inverse())
	p.empty(t)
}

// TestSuperviseTwice has each server started once.
func TestSuperviseTwice(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	do(t, p.Backend, serve4())
	first, endFirst := supervise(t, p.Backend, linux.Supervision{FirstDelay: time.Millisecond})
	second, endSecond := supervise(t, p.open(t), linux.Supervision{FirstDelay: time.Millisecond})
	for range 3 {
		p.kill(t)
		testenv.WaitFor(t, 20*time.Second, "the server answers again", func() bool {
			select {
			case e := <-first:
				return e.Up
			case e := <-second:
				return e.Up
			default:
				return false
			}
		})
		require.Len(t, p.pids(t), 1)
	}
	endFirst()
	endSecond()
	do(t, p.Backend, serve4().Inverse())
	p.empty(t)
}

func TestSuperviseShortensLogs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	do(t, p.Backend, serve4())
	log := filepath.Join(p.dir, serverName, "log")
	require.NoError(t, os.WriteFile(log, make([]byte, 1<<20+1), 0o600))
	_, end := supervise(t, p.Backend, linux.Supervision{})
	testenv.WaitFor(t, 20*time.Second, "the log is short", func() bool {
		stat, err := os.Stat(log)
		return err == nil && stat.Size() < 1<<20
	})
	end()
	require.NotNil(t, p.server(t, serverName))
	do(t, p.Backend, serve4().Inverse())
}
