// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/trust"
	"github.com/go-virtnet/virtnet/network/host"
)

// startTimeout bounds how long a server may take until it answers. It takes milliseconds; minutes of work by others on
// a small machine must not look like a failure.
const startTimeout = 30 * time.Second

// servers is what a backend knows of servers beyond their files, which are what counts.
type servers struct {
	mu     sync.Mutex
	keeper *keeper
	// wakes are the supervisors that want to hear of changes.
	wakes map[*wake]bool
	// here are those that answer in this process.
	here here
	// at is called before each step of a start, by tests that want it to fail there.
	at func(step string) error
}

// step is where a test may interfere.
func (s *servers) step(name string) error {
	if s.at == nil {
		return nil
	}
	return s.at(name)
}

// serve starts a server, and leaves nothing behind if that fails. The files of a server that has died under the same
// name are replaced, except for the leases it had given out, which live on.
func (b *Backend) serve(ctx context.Context, op host.Serve) error {
	launch, err := b.launcher()
	if err != nil {
		return err
	}
	files := b.serverFiles(op.Server.Name)
	lock, err := files.lockNew(ctx)
	if err != nil {
		return fmt.Errorf("server %s: %w", op.Server.Name, err)
	}
	files.reap()
	err = files.foldJournal(op.Server.Name)
	before, _ := trust.ReadFile(files.path(leaseFile))
	given, _ := dnsmasq.ParseLeases(before)
	if err == nil {
		err = files.clear(leaseFile)
	}
	if err == nil {
		err = launch(ctx, files, lock, op.Server, slices.Concat(op.Leases, given))
	}
	if err != nil {
		err = errors.Join(err, files.giveUp(before))
		unlock(lock)
		return err
	}
	// The program has it now.
	lock.Close()
	b.servers.wakeAll()
	return nil
}

// lockNew takes the lock of a server that is to be started, and wraps fs.ErrExist if it runs. A lock without a server is
// that of a starter, or of one that is just dead, and tells soon which.
func (f serverFiles) lockNew(ctx context.Context) (*os.File, error) {
	for deadline := time.Now().Add(settleTimeout); ; time.Sleep(time.Millisecond) {
		lock, err := f.lock(true)
		if !errors.Is(err, errServerRuns) {
			return lock, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r, ok := f.isHere(); ok && r.alive() && !f.ending() {
			return nil, fmt.Errorf("%w: %w", err, fs.ErrExist)
		}
		p, findErr := f.find()
		if findErr != nil {
			return nil, findErr
		}
		if p != nil {
			p.close()
		}
		if p != nil || time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: %w", err, fs.ErrExist)
		}
	}
}

// A launch starts a server whose lock is held. If that fails the files are left to the caller.
type launch func(ctx context.Context, files serverFiles, lock *os.File, server host.Server, leases []host.Lease) error

// launcher is how servers are started: by the engine, or as a program.
func (b *Backend) launcher() (launch, error) {
	if b.config.Engine != nil {
		return b.launchHere, nil
	}
	program, err := b.dnsmasq()
	return func(ctx context.Context, files serverFiles, lock *os.File, server host.Server, leases []host.Lease) error {
		return b.launchProgram(ctx, program, files, lock, server, leases)
	}, err
}

// launchProgram writes the files of a server whose lock is held, starts it and waits until it answers. The process is gone
// again if that fails; the files are left to the caller.
//
// Hosts and names are in files of their own if the server can read them. One that cannot all the same, because something else
// than the mode of folders keeps it from them, has all in its configuration.
func (b *Backend) launchProgram(ctx context.Context, program string, files serverFiles, lock *os.File, server host.Server, leases []host.Lease) error {
	if _, err := b.rt.Link(server.Link); err != nil {
		return fmt.Errorf("server on %s: %w", server.Link, err)
	}
	// What answered here before is not the program that will.
	if err := os.Remove(files.path(processFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	reread := files.reachable()
	err := b.launchWith(ctx, program, files, lock, &server, leases, reread)
	if errors.Is(err, errUnread) {
		reread = false
		err = b.launchWith(ctx, program, files, lock, &server, leases, reread)
	}
	// A process that ends gives back its locks before its sockets.
	for wait := time.Millisecond; errors.Is(err, errUnheld) && wait < time.Second; wait *= 2 {
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(wait):
		}
		err = b.launchWith(ctx, program, files, lock, &server, leases, reread)
	}
	return err
}

func (b *Backend) launchWith(ctx context.Context, program string, files serverFiles, lock *os.File, server *host.Server, leases []host.Lease, reread bool) error {
	if err := files.writeReread(server, reread); err != nil {
		return err
	}
	conf, err := files.render(server)
	if err != nil {
		return err
	}
	known, err := dnsmasq.FormatLeases(server.Name, dnsmasq.Usable(server, leases, time.Now()))
	if err != nil {
		return fmt.Errorf("server on %s: %w", server.Link, err)
	}
	if err := b.servers.step("files"); err != nil {
		return err
	}
	if err := errors.Join(files.write(conf, known), files.writeServer(server), lock.Truncate(0), reserve(lock, 0)); err != nil {
		return err
	}
	if err := b.servers.step("start"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p, err := b.start(program, files, lock)
	if err != nil {
		return fmt.Errorf("server on %s: %w", server.Link, err)
	}
	defer p.close()
	prepared := files.prepareRecord(p.pid, b.instance, false) // while the program is loaded
	if err = b.servers.step("wait"); err == nil {
		err = p.ready(ctx, lock)
	}
	if err == nil && reread {
		err = p.hasRead(ctx, lock, 0, files, server)
	}
	if err == nil {
		err = errors.Join(prepared, b.servers.step("record"))
	}
	if err == nil {
		err = files.put(processFile)
	}
	if err == nil {
		return nil
	}
	err = nameDirective(err, conf, len(server.Options))
	return b.explain(fmt.Errorf("server on %s: %w", server.Link, errors.Join(err, p.kill())))
}

// dnsmasq finds the program.
func (b *Backend) dnsmasq() (string, error) {
	if name := b.config.Dnsmasq; name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("no program %s: %w: %w", name, err, errors.ErrUnsupported)
		}
		return path, nil
	}
	for _, name := range []string{"dnsmasq", "/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/sbin/dnsmasq"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no dnsmasq in PATH: %w: %w", exec.ErrNotFound, errors.ErrUnsupported)
}
