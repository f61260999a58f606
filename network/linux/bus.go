// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/go-virtnet/virtnet/internal/dbus"
	"github.com/go-virtnet/virtnet/internal/firewalld"
	"github.com/go-virtnet/virtnet/internal/resolved"
	"github.com/go-virtnet/virtnet/network/host"
)

// systemBus is the address of the message bus; empty is none.
func (c Config) systemBus() string {
	if c.SystemBus == "" && c.Namespace == "" {
		return dbus.System()
	}
	return c.SystemBus
}

// busPrograms are those on the message bus that facts are about, and what has changed when one of them tells anything.
var busPrograms = map[string]host.ChangeKind{firewalld.Name: host.ZonesChanged, resolved.Name: host.ResolverChanged}

// An ear hears what programs on the message bus tell.
type ear struct {
	address string
	// wake is called when there is something to be taken.
	wake func()
	end  func()
	done sync.WaitGroup

	mu    sync.Mutex
	heard map[host.ChangeKind]bool
}

// listen returns an ear that hears all that happens from now on. It also waits for a bus that is not there, and again for one
// that ends.
func listen(address string, wake func()) *ear {
	ctx, end := context.WithCancel(context.Background())
	e := &ear{address: address, wake: wake, end: end, heard: map[host.ChangeKind]bool{}}
	conn, told := e.connect(ctx)
	e.done.Go(func() { e.run(ctx, conn, told) })
	return e
}

// close ends the ear.
func (e *ear) close() {
	e.end()
	e.done.Wait()
}

// connect returns nothing if there is no bus.
func (e *ear) connect(ctx context.Context) (*dbus.Conn, iter.Seq[string]) {
	conn, err := dbus.Open(ctx, e.address)
	if err != nil {
		return nil, nil
	}
	var names []string
	for name := range busPrograms {
		names = append(names, name)
	}
	told, err := conn.Listen(ctx, names...)
	if err != nil {
		conn.Close()
		return nil, nil
	}
	return conn, told
}

func (e *ear) run(ctx context.Context, conn *dbus.Conn, told iter.Seq[string]) {
	for {
		if conn != nil {
			for name := range told {
				e.hear(busPrograms[name])
			}
			conn.Close()
			e.hearAll() // no program is there without its bus
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgain):
		}
		if conn, told = e.connect(ctx); conn != nil {
			e.hearAll()
		}
	}
}

func (e *ear) hearAll() {
	for _, kind := range busPrograms {
		e.hear(kind)
	}
}

func (e *ear) hear(kind host.ChangeKind) {
	e.mu.Lock()
	e.heard[kind] = true
	e.mu.Unlock()
	e.wake()
}

// take returns what was heard since it was last called. A nil ear hears nothing.
func (e *ear) take() map[host.ChangeKind]bool {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := e.heard
	e.heard = map[host.ChangeKind]bool{}
	return heard
}
