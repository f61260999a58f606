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
	"strings"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/trust"
	"github.com/go-virtnet/virtnet/network/host"
)

// nextFile is the configuration that is tried before the one of a server that runs is replaced.
const nextFile = "dnsmasq.next"

// setServer gives a server other hosts and names, or else ends it and starts it again with another configuration and the leases it has given out. What can be found
// out before is: that the program takes the configuration, and that the link is there. Should the new server not start all
// the same, the old one is started again.
func (b *Backend) setServer(ctx context.Context, op host.SetServer) error {
	launch, err := b.launcher()
	if err != nil {
		return err
	}
	files := b.serverFiles(op.Server.Name)
	old, runs, err := b.running(files)
	if err == nil && !runs {
		err = fs.ErrNotExist
	}
	if err == nil {
		_, err = b.rt.Link(op.Server.Link)
	}
	if err == nil {
		var done bool
		if done, err = b.change(ctx, files, old, op); done {
			b.servers.wakeAll()
			if err != nil {
				return fmt.Errorf("server %s: %w", op.Server.Name, err)
			}
			return nil
		}
	}
	if err == nil {
		err = b.try(ctx, files, &op.Server)
	}
	if err == nil {
		err = b.servers.step("end")
	}
	if err != nil {
		return fmt.Errorf("server %s: %w", op.Server.Name, err)
	}
	// Ended is ended: what is left to do is not for the caller to stop.
	ctx = context.WithoutCancel(ctx)
	lock, err := b.endKeeping(ctx, files)
	if err != nil {
		return fmt.Errorf("server %s: %w", op.Server.Name, err)
	}
	err = files.foldJournal(op.Server.Name)
	before, readErr := trust.ReadFile(files.path(leaseFile))
	if err = errors.Join(err, readErr); err == nil {
		leases, _ := dnsmasq.ParseLeases(before)
		err = launch(ctx, files, lock, op.Server, leases)
		if err != nil {
			leases, _ = dnsmasq.ParseLeases(before)
			err = errors.Join(err, launch(ctx, files, lock, old, leases))
		}
	}
	// The program has the lock now, or else nobody.
	lock.Close()
	b.servers.wakeAll()
	return err
}

// change gives a server that runs another document without ending it, if it can.
func (b *Backend) change(ctx context.Context, files serverFiles, old host.Server, op host.SetServer) (done bool, err error) {
	if done, err := b.setHere(ctx, files, old, op); done || err != nil {
		return done, err
	}
	if b.config.Engine != nil {
		return false, nil
	}
	return b.reread(ctx, files, old, op)
}

// errNoServer says that no process answers for a folder.
var errNoServer = fmt.Errorf("nobody serves: %w", fs.ErrNotExist)

// endRunning ends a server that runs, wherever that is.
func (b *Backend) endRunning(files serverFiles) error {
	if ended, err := b.endHere(files); ended || err != nil {
		return err
	}
	p, err := files.find()
	if err != nil {
		return err
	}
	if p == nil {
		return errNoServer
	}
	defer p.close()
	return b.end(files, p)
}

// endKeeping ends the process of a server, and leaves its files and its lock to the caller.
func (b *Backend) endKeeping(ctx context.Context, files serverFiles) (*os.File, error) {
	if err := b.endRunning(files); err != nil {
		return nil, err
	}
	lock, err := files.lockNew(ctx)
	if err != nil {
		return nil, err
	}
	files.reap()
	// From here on the server counts as dead, not as ended: whoever finds it so may start it.
	if err := os.Remove(files.path(endingFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		unlock(lock)
		return nil, err
	}
	return lock, nil
}

// try lets the program read a configuration. An engine tells when it starts.
func (b *Backend) try(ctx context.Context, f serverFiles, s *host.Server) error {
	if b.config.Engine != nil {
		return nil
	}
	program, err := b.dnsmasq()
	if err != nil {
		return err
	}
	conf, err := f.render(s)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.path(nextFile)) }()
	if err := trust.WriteFile(f.path(nextFile), conf, 0o600); err != nil {
		return err
	}
	said, err := exec.CommandContext(ctx, program, "--test", "--conf-file="+f.path(nextFile)).CombinedOutput()
	if err != nil {
		refused := &spokenError{words: strings.TrimSpace(string(said)), kind: fs.ErrInvalid}
		return fmt.Errorf("the configuration is refused: %w", nameDirective(refused, conf, len(s.Options)))
	}
	return nil
}
