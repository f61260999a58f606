// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"os"

	"github.com/go-virtnet/virtnet/network/host"
)

// serverFacts reports the servers that run in this namespace with the files they were started with.
func (b *Backend) serverFacts(ctx context.Context, scope host.Scope, f *host.Facts) error {
	names := scope.Servers
	var err error
	switch {
	case scope.All:
		names, err = b.serverNames()
	case len(names) > 0:
		err = b.lookRunDir()
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return ctx.Err()
		}
		if host.CheckID(name) != nil {
			continue
		}
		server, runs, err := b.running(b.serverFiles(name))
		if err != nil {
			return err
		}
		if runs {
			f.Servers = append(f.Servers, server)
		}
	}
	return nil
}

// running looks at one server.
func (b *Backend) running(files serverFiles) (server host.Server, runs bool, err error) {
	locked, err := files.locked()
	if err != nil {
		return server, false, err
	}
	if !locked {
		files.reap()
		return server, false, nil
	}
	if r, ok := files.isHere(); ok {
		if !r.alive() || r.Instance != b.instance {
			return server, false, nil
		}
		server, ok := files.document()
		return server, ok, nil
	}
	p, err := files.find()
	if p == nil || err != nil {
		return server, false, err
	}
	defer p.close()
	if !b.inside(files, p) {
		return server, false, nil
	}
	server, ok := files.server()
	return server, ok, nil
}

// inside reports whether a server runs in the backend's namespace. Where that cannot be seen of a process, it is what
// was written down when it was started.
func (b *Backend) inside(files serverFiles, p *process) bool {
	same, err := b.hasProcess(p.pid)
	if err != nil {
		r, ok := files.recorded()
		return ok && r.PID == p.pid && r.Instance == b.instance
	}
	return same
}

// hasProcess reports whether a process runs in the backend's namespace. The error is that this cannot be seen of it.
func (b *Backend) hasProcess(pid int) (same bool, err error) {
	theirs, err := os.Stat(procPath(pid, "ns", "net"))
	if err != nil {
		return false, err
	}
	err = b.enter(func() error {
		ours, err := os.Stat("/proc/thread-self/ns/net")
		same = err == nil && os.SameFile(ours, theirs)
		return nil
	})
	return err == nil && same, nil
}
