// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/trust"
	"github.com/go-virtnet/virtnet/network/host"
)

// errUnread says that a server could not read the files of hosts and names.
var errUnread = errors.New("the server cannot read its files")

// rereads reports whether the server has hosts and names in files of their own.
func (f serverFiles) rereads() bool {
	_, err := os.Lstat(f.path(hostsFile))
	return err == nil
}

// reachable reports whether a server can read files in the folder when it has become another user than root, if it does.
func (f serverFiles) reachable() bool {
	if os.Geteuid() != 0 || !trust.MapsNobody() {
		return true
	}
	const search = 0o001
	for dir := string(f); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&search == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// writeReread writes the files of hosts and names, or removes them if they are not to be used.
func (f serverFiles) writeReread(s *host.Server, use bool) error {
	if !use {
		var errs []error
		for _, name := range []string{hostsFile, namesFile} {
			if err := os.Remove(f.path(name)); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}
	hosts, names, err := dnsmasq.Reread(s)
	if err != nil {
		return err
	}
	const everybody = 0o644
	return errors.Join(f.replaceMode(namesFile, names, everybody), f.replaceMode(hostsFile, hosts, everybody))
}

// reread gives a server that runs other hosts and names, if that is all that changes: it keeps its process and all that it knows,
// and answers meanwhile. The second result is false if more changes, and nothing has been done. What is served is noted before
// the server is told, so that whoever finds a change half done and takes it back tells it again.
func (b *Backend) reread(ctx context.Context, files serverFiles, old host.Server, op host.SetServer) (done bool, err error) {
	if !files.rereads() {
		return false, nil
	}
	next, err := files.render(&op.Server)
	if err != nil {
		return false, err
	}
	now, err := trust.ReadFile(files.path(confFile))
	if err != nil || !bytes.Equal(now, next) {
		return false, err
	}
	p, err := files.find()
	if err != nil || p == nil {
		return false, err
	}
	defer p.close()
	if err := b.servers.step("reread"); err != nil {
		return false, err
	}
	err = files.tell(ctx, p, &op.Server)
	if err == nil {
		err = b.servers.step("told")
	}
	if err != nil {
		err = errors.Join(err, files.tell(context.WithoutCancel(ctx), p, &old))
	}
	return true, err
}

// tell has a server read other hosts and names, and returns when it has.
func (f serverFiles) tell(ctx context.Context, p *process, s *host.Server) error {
	log, err := f.openLog(os.O_RDWR)
	if err != nil {
		return err
	}
	defer log.Close()
	end, err := log.Seek(0, io.SeekEnd)
	if err == nil {
		err = reserve(log, end)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.writeServer(s), f.writeReread(s, true)); err != nil {
		return err
	}
	if err := p.signal(syscall.SIGHUP); err != nil {
		return err
	}
	return p.hasRead(ctx, log, end, f, s)
}

// hasRead waits until a server says behind a place of its log that it has read the files that concern it.
func (p *process) hasRead(ctx context.Context, log *os.File, from int64, f serverFiles, s *host.Server) error {
	var wanted, failures []string
	if s.DNS != nil {
		wanted = append(wanted, ": read "+f.path(namesFile)+" - ")
		failures = append(failures, ": failed to load names from "+f.path(namesFile)+": ")
	}
	for i := range s.Subnets {
		if s.Subnets[i].HasDHCP() {
			wanted = append(wanted, ": read "+f.path(hostsFile)+"\n")
			failures = append(failures, ": cannot read "+f.path(hostsFile)+": ")
			break
		}
	}
	begin := time.Now()
	for deadline := begin.Add(startTimeout); ; {
		if info, err := log.Stat(); err == nil && info.Size() < from {
			from = 0 // it has been shortened meanwhile
		}
		data, err := io.ReadAll(io.NewSectionReader(log, from, 1<<20))
		if err != nil {
			return err
		}
		said := string(data)
		for _, words := range failures {
			if strings.Contains(said, words) {
				return fmt.Errorf("%w: %s", errUnread, lastWords(said))
			}
		}
		missing := ""
		for _, words := range wanted {
			if !strings.Contains(said, words) {
				missing = words
			}
		}
		if missing == "" {
			return nil
		}
		ended, err := p.ended(untilNextLook(begin))
		switch {
		case err != nil:
			return err
		case ended:
			return fmt.Errorf("dnsmasq has ended: %s", lastWords(said))
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("dnsmasq has not read its files after %s: %s", startTimeout, lastWords(said))
		}
	}
}
