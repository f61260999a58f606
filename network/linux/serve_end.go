// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

const (
	// endTimeout is how long dnsmasq may take to end by itself. It takes a millisecond.
	endTimeout = 5 * time.Second
	// settleTimeout is how long the lock of a server may be held by one that is not its server: by a starter that has
	// not got so far, or a child that answers a last question.
	settleTimeout = 5 * time.Second
)

// unserve ends a server and removes its files. Files without a process, and a process without its files, are what is
// left of a server, and are cleared away alike.
func (b *Backend) unserve(ctx context.Context, op host.Unserve) error {
	err := b.endServer(ctx, b.serverFiles(op.Server.Name))
	b.servers.wakeAll()
	if err != nil {
		return fmt.Errorf("server %s: %w", op.Server.Name, err)
	}
	return nil
}

func (b *Backend) endServer(ctx context.Context, files serverFiles) error {
	found := false
	for deadline := time.Now().Add(settleTimeout); ; {
		if lock, err := files.lock(false); err == nil {
			defer unlock(lock)
			files.reap()
			return files.remove()
		} else if !errors.Is(err, errServerRuns) && !errors.Is(err, fs.ErrNotExist) {
			return err
		} else if done, err := b.endFound(files, errors.Is(err, fs.ErrNotExist), &found); done || err != nil {
			return err
		}
		if found {
			// Ended is ended: what is left to do is not for the caller to stop.
			ctx = context.WithoutCancel(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return errors.New("its lock is held by a process that is not the server")
		}
		time.Sleep(time.Millisecond)
	}
}

// endFound ends the process of the server, if there is one. Without a lock's file somebody has removed files by hand;
// what is left of them is then removed, and done is set.
func (b *Backend) endFound(files serverFiles, noLock bool, found *bool) (done bool, err error) {
	switch err := b.endRunning(files); {
	case err == nil:
		*found = true
	case !errors.Is(err, errNoServer):
		return false, err
	}
	if !noLock {
		return false, nil
	}
	if _, err := os.Lstat(string(files)); err != nil {
		if *found && errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return true, err
	}
	lock, err := files.lock(true)
	if errors.Is(err, errServerRuns) {
		return false, nil // another clears them away, or has begun to make the next one
	}
	if err != nil {
		return false, err
	}
	defer unlock(lock)
	files.reap()
	return true, files.remove()
}

// end ends a process, and waits until it is gone. A server of another namespace is missing here.
func (b *Backend) end(files serverFiles, p *process) error {
	if !b.inside(files, p) {
		return fmt.Errorf("it serves another network namespace: %w", fs.ErrNotExist)
	}
	if err := files.replace(endingFile, nil); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	ended := false
	for deadline := time.Now().Add(endTimeout); !ended && time.Now().Before(deadline); {
		var err error
		if ended, err = p.ended(time.Until(deadline)); err != nil {
			return err
		}
	}
	if !ended {
		return p.kill()
	}
	p.reap()
	return nil
}
