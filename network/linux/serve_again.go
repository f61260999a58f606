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
	"github.com/go-virtnet/virtnet/network/host"
)

// nextFile is the configuration that is tried before the one of a server that runs is replaced.
const nextFile = "dnsmasq.next"

// setServer gives a server other hosts and names, or else ends it and starts it again with another configuration and the leases it has given out. What can be found
// out before is: that the program takes the configuration, and that the link is there. Should the new server not start all
// the same, the old one is started again.
func (b *Backend) setServer(ctx context.Context, op host.SetServer) error {
	program, err := b.dnsmasq()
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
		if done, err = b.reread(ctx, files, old, op); done {
			b.servers.wakeAll()
			if err != nil {
				return fmt.Errorf("server %s: %w", op.Server.Name, err)
			}
			return nil
		}
	}
	if err == nil {
		err = files.try(ctx, program, &op.Server)
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
	before, err := readFile(files.path(leaseFile))
	if err == nil {
		leases, _ := dnsmasq.ParseLeases(before)
		err = b.launch(ctx, program, files, lock, op.Server, leases)
		if err != nil {
			leases, _ = dnsmasq.ParseLeases(before)
			err = errors.Join(err, b.launch(ctx, program, files, lock, old, leases))
		}
	}
	// The program has the lock now, or else nobody.
	lock.Close()
	b.servers.wakeAll()
	return err
}

// endKeeping ends the process of a server, and leaves its files and its lock to the caller.
func (b *Backend) endKeeping(ctx context.Context, files serverFiles) (*os.File, error) {
	p, err := files.find()
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fs.ErrNotExist
	}
	defer p.close()
	if err := b.end(files, p); err != nil {
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

// try lets the program read a configuration.
func (f serverFiles) try(ctx context.Context, program string, s *host.Server) error {
	conf, err := f.render(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.path(nextFile), conf, 0o600); err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.path(nextFile)) }()
	said, err := exec.CommandContext(ctx, program, "--test", "--conf-file="+f.path(nextFile)).CombinedOutput()
	if err != nil {
		refused := &spokenError{words: strings.TrimSpace(string(said)), kind: fs.ErrInvalid}
		return fmt.Errorf("the configuration is refused: %w", nameDirective(refused, conf, len(s.Options)))
	}
	return nil
}
