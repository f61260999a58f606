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
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// takeServer ends libvirt's server and starts ours with its leases. If ours does not start, libvirt's is started again.
func (b *Backend) takeServer(ctx context.Context, op host.TakeServer) error {
	if err := b.takeServerFrom(ctx, op, b.libvirt()); err != nil {
		return fmt.Errorf("server of libvirt's network %s: %w", op.Was.Network, err)
	}
	return nil
}

func (b *Backend) takeServerFrom(ctx context.Context, op host.TakeServer, files libvirtFiles) error {
	if _, runs, err := b.running(b.serverFiles(op.Server.Name)); err != nil || runs {
		return errors.Join(err, fs.ErrExist)
	}
	release, err := files.hold()
	if err != nil {
		return err
	}
	defer release()
	theirs, p, err := b.libvirtServer(op.Was.Network)
	if err != nil {
		return err
	}
	if p != nil {
		defer p.close()
	}
	if (p != nil || len(op.Was.Command) > 0) && (p == nil || theirs.Link != op.Was.Link || !slices.Equal(theirs.Command, op.Was.Command)) {
		return fs.ErrNotExist
	}
	if err := b.tryServer(ctx, &op.Server); err != nil {
		return err
	}
	// Ended is ended: what is left to do is not for the caller to stop.
	ctx = context.WithoutCancel(ctx)
	if p != nil {
		err = endLibvirtServer(p, files.pid(op.Was.Network))
	}
	var leases []host.Lease
	if err == nil {
		leases, err = files.readLeases(op.Was.Link)
	}
	if err == nil {
		err = b.serve(ctx, host.Serve{Server: op.Server, Leases: leases})
	}
	if err != nil && p != nil {
		err = errors.Join(err, b.startLibvirtServer(op.Was))
	}
	return err
}

// tryServer finds out before anything is ended what can be: that the link is there, and that the program takes the
// configuration.
func (b *Backend) tryServer(ctx context.Context, server *host.Server) error {
	if _, err := b.rt.Link(server.Link); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "virtnet-")
	if err != nil {
		return err
	}
	return errors.Join(b.try(ctx, serverFiles(folder), server), os.RemoveAll(folder))
}

// returnServer ends our server and starts libvirt's again, with what ours has given out.
func (b *Backend) returnServer(ctx context.Context, op host.ReturnServer) error {
	leases, ended, err := b.endForLibvirt(ctx, b.serverFiles(op.Server.Name))
	b.servers.wakeAll()
	if err == nil {
		err = b.bringBack(op.Was, op.Server.Name, leases, ended)
	}
	if err != nil {
		return fmt.Errorf("server of libvirt's network %s: %w", op.Was.Network, err)
	}
	return nil
}

// bringBack starts libvirt's server unless it runs. Ended says that ours has just given out leases.
func (b *Backend) bringBack(was host.LibvirtServer, server string, leases []host.Lease, ended bool) error {
	runs, err := b.libvirtServes(was.Network)
	if err != nil {
		return err
	}
	if runs || len(was.Command) == 0 {
		if ended {
			return nil
		}
		return fs.ErrNotExist
	}
	if ended {
		text, err := dnsmasq.FormatLibvirtLeases(server, leases)
		if err == nil {
			err = replaceText(b.libvirt().leases(was.Link), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return b.startLibvirtServer(was)
}

// endForLibvirt ends our server, or what is left of it, and returns what it has given out. Without one, ended is false.
func (b *Backend) endForLibvirt(ctx context.Context, files serverFiles) (leases []host.Lease, ended bool, err error) {
	lock, err := b.endKeeping(context.WithoutCancel(ctx), files)
	if errors.Is(err, fs.ErrNotExist) {
		if lock, err = files.lock(false); errors.Is(err, fs.ErrNotExist) {
			return nil, false, nil
		}
	}
	if err != nil {
		return nil, false, err
	}
	defer unlock(lock)
	leases, err = files.readLeases()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		err = nil
	}
	return leases, true, errors.Join(err, files.remove())
}

// libvirtServer finds the dnsmasq of a network of libvirt's that runs in the backend's namespace. The process is nil if there
// is none, and has been checked after its descriptor was opened.
func (b *Backend) libvirtServer(network string) (*host.LibvirtServer, *process, error) {
	files := b.libvirt()
	text, err := readText(files.pid(network))
	pid, bad := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || bad != nil || pid <= 1 {
		return nil, nil, err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("process descriptor: %w", err)
	}
	p := &process{pid: pid, pidfd: fd}
	command := commandOf(pid)
	same, err := b.hasProcess(pid)
	if err != nil || !same || !slices.Contains(command, "--conf-file="+files.conf(network)) {
		p.close()
		return nil, nil, nil
	}
	conf, err := readForeign(files.conf(network))
	if err != nil {
		p.close()
		return nil, nil, err
	}
	return &host.LibvirtServer{Network: network, Link: dnsmasq.LibvirtLink(conf), Command: command}, p, nil
}

// commandOf is the command line of a process; none if that has ended.
func commandOf(pid int) (words []string) {
	data, err := os.ReadFile(procPath(pid, "cmdline"))
	if err != nil || len(data) == 0 {
		return nil
	}
	for _, word := range bytes.Split(bytes.TrimSuffix(data, []byte{0}), []byte{0}) {
		words = append(words, string(word))
	}
	return words
}

// endLibvirtServer ends a server, and waits for it and for the child that writes its leases down. Its number goes to another
// process some day, and must not be found then.
func endLibvirtServer(p *process, pidFile string) error {
	helpers, err := p.children()
	defer func() {
		for _, h := range helpers {
			h.close()
		}
	}()
	if err == nil {
		err = p.signal(syscall.SIGTERM)
	}
	for _, one := range append([]*process{p}, helpers...) {
		if err == nil {
			err = one.outlive()
		}
	}
	if err == nil {
		err = os.Remove(pidFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// outlive waits until a process has ended, and ends it at last.
func (p *process) outlive() error {
	for deadline := time.Now().Add(endTimeout); time.Now().Before(deadline); {
		if ended, err := p.ended(time.Until(deadline)); ended || err != nil {
			return err
		}
	}
	return p.kill()
}

// children are the processes that a process has started and that run the same command.
func (p *process) children() ([]*process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	command := commandOf(p.pid)
	var children []*process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !slices.Equal(commandOf(pid), command) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // It has ended in between.
		}
		child := &process{pid: pid, pidfd: fd}
		if stat, err := readStat(pid); err == nil && stat.parent == p.pid {
			children = append(children, child)
		} else {
			child.close()
		}
	}
	return children, nil
}

// libvirtServes reports whether libvirt's server of a network runs.
func (b *Backend) libvirtServes(network string) (bool, error) {
	_, p, err := b.libvirtServer(network)
	if p != nil {
		p.close()
	}
	return p != nil, err
}

// startLibvirtServer starts a server as libvirt does, which goes into the background when it answers. One that runs is left.
func (b *Backend) startLibvirtServer(s host.LibvirtServer) error {
	if runs, err := b.libvirtServes(s.Network); runs || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	said, err := os.CreateTemp("", "virtnet-")
	if err != nil {
		return err
	}
	defer said.Close()
	if err := os.Remove(said.Name()); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.Command[0], s.Command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", said, said
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "VIR_BRIDGE_NAME=" + s.Link}
	if err := b.enter(cmd.Run); err != nil {
		words, _ := io.ReadAll(io.NewSectionReader(said, 0, 1<<12))
		return fmt.Errorf("start libvirt's server again: %w: %s", err, bytes.TrimSpace(words))
	}
	return nil
}

// readLeases reads what libvirt's server on a link has given out. What cannot be understood is lost.
func (f libvirtFiles) readLeases(link string) ([]host.Lease, error) {
	text, err := readText(f.leases(link))
	if err != nil {
		return nil, err
	}
	leases, _ := dnsmasq.ParseLibvirtLeases([]byte(text))
	return leases, nil
}
