// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network/host"
)

// A server that answers in this process has the folder that one of a program has, and the lock, which ends with the process.
// Instead of a configuration there is
//
//	control  a pipe: who writes into it ends the server
//	journal  what changed since leases was written
const controlFile = "control"

// An answering is a server in this process.
type answering struct {
	serving host.Serving
	lock    *os.File
	control *os.File
	journal *journal
	// link is the device whose guests it answers.
	link string
}

// end ends it. Its files stay, and its lock is free.
func (a *answering) end() error {
	err := errors.Join(a.serving.Close(), a.journal.close(), a.control.Close())
	unlock(a.lock)
	return err
}

// here are the servers that answer in this process, by their folders.
type here struct {
	mu   sync.Mutex
	list map[serverFiles]*answering
}

func (h *here) get(f serverFiles) *answering {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list[f]
}

// take takes one out, nil if it is not there.
func (h *here) take(f serverFiles) *answering {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.list[f]
	delete(h.list, f)
	return a
}

func (h *here) put(f serverFiles, a *answering) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.list == nil {
		h.list = map[serverFiles]*answering{}
	}
	h.list[f] = a
}

// on are the folders of those on a device.
func (h *here) on(link string) (list []serverFiles) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f, a := range h.list {
		if a.link == link {
			list = append(list, f)
		}
	}
	return list
}

// close ends all of them.
func (h *here) close() error {
	h.mu.Lock()
	list := h.list
	h.list = nil
	h.mu.Unlock()
	var errs []error
	for _, a := range list {
		errs = append(errs, a.end())
	}
	return errors.Join(errs...)
}

// launchHere writes the files of a server whose lock is held, and answers for it in this process. If that fails the files
// are left to the caller.
func (b *Backend) launchHere(ctx context.Context, files serverFiles, lock *os.File, server host.Server, leases []host.Lease) (err error) {
	link, err := b.rt.Link(server.Link)
	if err != nil {
		return fmt.Errorf("server on %s: %w", server.Link, err)
	}
	usable := dnsmasq.Usable(&server, leases, time.Now())
	known, err := dnsmasq.FormatLeases(server.Name, usable)
	if err != nil {
		return err
	}
	if err := b.servers.step("files"); err != nil {
		return err
	}
	if err := files.replace(leaseFile, known); err != nil {
		return err
	}
	if err := errors.Join(files.clear(leaseFile), files.writeServer(&server), lock.Truncate(0)); err != nil {
		return err
	}
	a := &answering{journal: files.newJournal(server.Name, usable), link: server.Link}
	if a.control, err = files.newControl(); err != nil {
		return err
	}
	// The lock is the description's: it is held as long as one of the descriptors is open.
	if a.lock, err = duplicate(lock); err != nil {
		return errors.Join(err, a.control.Close())
	}
	err = b.servers.step("start")
	if err == nil {
		a.serving, err = b.config.Engine.Start(ctx, server, host.Ground{
			Device: net.Interface{Index: link.Index, Name: link.Name, MTU: link.MTU, HardwareAddr: link.MAC[:]},
			Enter:  b.enter, Leases: usable, Keep: a.journal.keep, Warn: files.say,
		})
	}
	if err != nil {
		return errors.Join(fmt.Errorf("server on %s: %w", server.Link, err), a.journal.close(), a.control.Close(), a.lock.Close())
	}
	if err = b.servers.step("record"); err == nil {
		err = files.record(os.Getpid(), b.instance, true)
	}
	if err != nil {
		return errors.Join(err, a.serving.Close(), a.journal.close(), a.control.Close(), a.lock.Close())
	}
	b.servers.here.put(files, a)
	go b.obey(files, a)
	return nil
}

// obey ends a server when another process asks for it. It ends when the server is ended here.
func (b *Backend) obey(files serverFiles, a *answering) {
	var word [1]byte
	if _, err := a.control.Read(word[:]); err != nil {
		return
	}
	if a := b.servers.here.take(files); a != nil {
		_ = a.end()
		b.servers.wakeAll()
	}
}

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// newControl makes the pipe by which other processes end a server.
func (f serverFiles) newControl() (*os.File, error) {
	path := f.path(controlFile)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, &fs.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0) // for writing too, so that it never ends
}

// isHere reports whether a server answers, or has answered, in a process of ours and not in a program.
func (f serverFiles) isHere() (processRecord, bool) {
	r, ok := f.recorded()
	return r, ok && r.Here
}

// alive reports whether the process of a record runs.
func (r *processRecord) alive() bool {
	stat, err := readStat(r.PID)
	return err == nil && !stat.dead() && stat.start == r.Start
}

// openHere opens the process of ours that a server answers in; nil if it is a program that does.
func (f serverFiles) openHere(r *processRecord) (*process, error) {
	if !r.Here {
		return nil, nil
	}
	fd, err := unix.PidfdOpen(r.PID, 0)
	if err != nil {
		return nil, fmt.Errorf("process descriptor: %w", err)
	}
	return &process{pid: r.PID, pidfd: fd}, nil
}

// ended reports whether a server has ended: with its process, or before it if that does not answer for it any more.
func (f serverFiles) ended(p *process) (bool, error) {
	if ended, err := p.ended(0); ended || err != nil {
		return ended, err
	}
	if _, here := f.isHere(); !here && p.pid != os.Getpid() {
		return false, nil
	}
	locked, err := f.locked()
	return !locked, err
}

// endHere ends a server that answers in this process or in another of ours, and reports whether it was one. The lock is free
// then, or soon.
func (b *Backend) endHere(files serverFiles) (bool, error) {
	r, ok := files.isHere()
	if !ok || !r.alive() {
		return false, nil
	}
	if r.Instance != b.instance {
		return false, fmt.Errorf("it serves another network namespace: %w", fs.ErrNotExist)
	}
	if err := files.replace(endingFile, nil); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if a := b.servers.here.take(files); a != nil {
		return true, a.end()
	}
	control, err := os.OpenFile(files.path(controlFile), os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, fs.ErrNotExist) {
		return true, nil // it is just ending
	}
	if err != nil {
		return false, err
	}
	if _, err = control.Write([]byte{'.'}); errors.Is(err, unix.EPIPE) {
		err = nil // it has just ended
	}
	return true, errors.Join(err, control.Close())
}

// followDevice starts servers in this process again whose device was made anew: their sockets were those of the one before. One that
// does not start is missing from then on, as one that has died.
func (b *Backend) followDevice(ctx context.Context, link string) {
	for _, files := range b.servers.here.on(link) {
		server, ok := files.document()
		if !ok {
			continue
		}
		ended, err := b.endHere(files)
		if err == nil && ended {
			err = b.serve(ctx, host.Serve{Server: server})
		}
		if err != nil {
			files.say(err)
		}
	}
}

// setHere gives a server that answers in this process another document, and reports whether it could.
func (b *Backend) setHere(ctx context.Context, files serverFiles, old host.Server, op host.SetServer) (bool, error) {
	a := b.servers.here.get(files)
	if a == nil || b.config.Engine == nil {
		return false, nil
	}
	if err := b.servers.step("reread"); err != nil {
		return false, err
	}
	err := a.serving.Set(ctx, op.Server)
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	if err == nil {
		err = files.writeServer(&op.Server)
	}
	if err == nil {
		err = b.servers.step("told")
	}
	if err != nil {
		ctx = context.WithoutCancel(ctx)
		return true, errors.Join(err, a.serving.Set(ctx, old), files.writeServer(&old))
	}
	return true, nil
}

// say writes down what goes wrong while guests are served, where programs do it too.
func (f serverFiles) say(err error) {
	log, openErr := f.openLog(os.O_WRONLY | os.O_APPEND)
	if openErr != nil {
		return
	}
	defer log.Close()
	if info, statErr := log.Stat(); statErr == nil && info.Size() < maxLog {
		fmt.Fprintf(log, "%s %v\n", time.Now().Format(time.DateTime), err)
	}
}
