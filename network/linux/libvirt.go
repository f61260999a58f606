// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// libvirtFiles is the folder below which libvirt has its files. It has
//
//	run/libvirt/network/NAME.xml                      the status of a network that runs
//	run/libvirt/network/NAME/ports/ID.xml             its ports
//	run/libvirt/network/NAME.pid                      its dnsmasq
//	run/libvirt/network/driver.pid                    the daemon, which has the file locked
//	var/lib/libvirt/dnsmasq/NAME.conf                 the configuration of its dnsmasq
//	var/lib/libvirt/dnsmasq/LINK.status               what that has given out
//	etc/libvirt/qemu/networks/NAME.xml                the definition of a network
//	etc/libvirt/qemu/networks/autostart/NAME.xml      a link to that
type libvirtFiles string

func (f libvirtFiles) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

func (f libvirtFiles) run(parts ...string) string {
	return f.path(append([]string{"run/libvirt/network"}, parts...)...)
}
func (f libvirtFiles) status(name string) string   { return f.run(name + ".xml") }
func (f libvirtFiles) ports(name string) string    { return f.run(name, "ports") }
func (f libvirtFiles) port(name, id string) string { return f.run(name, "ports", id+".xml") }
func (f libvirtFiles) pid(name string) string      { return f.run(name + ".pid") }
func (f libvirtFiles) daemonPID() string           { return f.run("driver.pid") }
func (f libvirtFiles) conf(name string) string {
	return f.path("var/lib/libvirt/dnsmasq", name+".conf")
}
func (f libvirtFiles) leases(link string) string {
	return f.path("var/lib/libvirt/dnsmasq", link+".status")
}
func (f libvirtFiles) definition(name string) string {
	return f.path("etc/libvirt/qemu/networks", name+".xml")
}
func (f libvirtFiles) autostart(name string) string {
	return f.path("etc/libvirt/qemu/networks/autostart", name+".xml")
}

func (b *Backend) libvirt() libvirtFiles {
	if b.config.Libvirt == "" {
		return "/"
	}
	return libvirtFiles(b.config.Libvirt)
}

// libvirtFacts reads what libvirt keeps of its networks.
func (b *Backend) libvirtFacts(ctx context.Context, scope host.Scope, f *host.Facts) (err error) {
	if !scope.Libvirt {
		return nil
	}
	files := b.libvirt()
	if f.Libvirt.Daemon, err = files.daemon(); err != nil {
		return err
	}
	names, err := files.names(".xml")
	if err != nil {
		return err
	}
	for _, name := range names {
		n, err := files.network(name)
		if err != nil {
			return err
		}
		if n != nil {
			f.Libvirt.Networks = append(f.Libvirt.Networks, *n)
		}
	}
	if names, err = files.names(".pid"); err != nil {
		return err
	}
	for _, name := range names {
		s, p, err := b.libvirtServer(name)
		if err != nil {
			return err
		}
		if p != nil {
			p.close()
			f.Libvirt.Servers = append(f.Libvirt.Servers, *s)
		}
	}
	links, err := b.linkNames()
	if err != nil {
		return err
	}
	f.Libvirt.Rules, err = b.nft.LibvirtRules(ctx, links)
	return err
}

func (b *Backend) dropRules(ctx context.Context, o host.DropRules) error {
	links, err := b.linkNames()
	if err == nil {
		err = b.nft.DropRules(ctx, links, o)
	}
	if err != nil {
		return fmt.Errorf("rules of libvirt: %w", err)
	}
	return nil
}

// names are those of networks that have a file with that ending.
func (f libvirtFiles) names(ending string) ([]string, error) {
	var names []string
	for _, folder := range []string{filepath.Dir(f.status("")), filepath.Dir(f.definition(""))} {
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ending); ok && !e.IsDir() && name != "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// network reads the files of one network. It is nil if there are none.
func (f libvirtFiles) network(name string) (*host.LibvirtNetwork, error) {
	n := &host.LibvirtNetwork{Name: name}
	var err error
	if n.Status, err = readText(f.status(name)); err != nil {
		return nil, err
	}
	if n.Definition, err = readText(f.definition(name)); err != nil {
		return nil, err
	}
	if n.Status == "" && n.Definition == "" {
		return nil, nil
	}
	if n.Definition != "" {
		_, err := os.Lstat(f.autostart(name))
		n.Autostart = err == nil
	}
	entries, err := os.ReadDir(f.ports(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".xml")
		if !ok || host.CheckID(id) != nil {
			continue
		}
		text, err := readText(f.port(name, id))
		if err != nil {
			return nil, err
		}
		n.Ports = append(n.Ports, host.LibvirtPort{ID: id, Text: text})
	}
	return n, nil
}

// readForeign reads a file of libvirt or its servers, which may belong to their user, up to a size that none reaches.
func readForeign(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, 256<<20))
}

// readText reads a file. One that does not exist is empty.
func readText(path string) (string, error) {
	text, err := readForeign(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return string(text), err
}

// daemon is the process of libvirt that has the networks; 0 if there is none. It has its file locked as long as it runs.
func (f libvirtFiles) daemon() (int, error) {
	file, err := os.Open(f.daemonPID())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return lockedBy(file)
}

// lockedBy is the process that has a file locked; 0 if it is not locked.
func lockedBy(file *os.File) (int, error) {
	ask := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &ask); err != nil {
		return 0, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	switch {
	case ask.Type == unix.F_UNLCK:
		return 0, nil
	case ask.Pid > 0:
		return int(ask.Pid), nil
	}
	// The kernel does not tell of other namespaces, and the file does.
	text, err := readForeign(file.Name())
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		pid = 1
	}
	return pid, nil
}

// hold keeps libvirt's daemon from being started until release, with its own means. One that runs is fs.ErrPermission, and no
// libvirt at all fs.ErrNotExist.
func (f libvirtFiles) hold() (release func(), err error) {
	file, err := os.OpenFile(f.daemonPID(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	want := unix.Flock_t{Type: unix.F_WRLCK}
	err = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &want)
	if err == nil {
		return func() {
			_ = os.Remove(file.Name()) // as the daemon does, while it has the lock
			unlock(file)
		}, nil
	}
	defer file.Close()
	if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	pid, err := lockedBy(file)
	return nil, errors.Join(err, fmt.Errorf("libvirt runs as process %d: %w", pid, fs.ErrPermission))
}

// disown removes the files of a network, the status last. If one cannot be removed the others come back.
func (b *Backend) disown(o host.Disown) error {
	files := b.libvirt()
	release, err := files.hold()
	if err != nil {
		return fmt.Errorf("libvirt's network %s: %w", o.Network.Name, err)
	}
	defer release()
	n, err := files.network(o.Network.Name)
	if err != nil {
		return err
	}
	if n == nil || !n.Equal(o.Network) {
		return fmt.Errorf("libvirt's network %s: %w", o.Network.Name, fs.ErrNotExist)
	}
	if err := files.remove(o.Network); err != nil {
		return errors.Join(err, files.put(o.Network))
	}
	return nil
}

func (f libvirtFiles) remove(n host.LibvirtNetwork) error {
	var paths []string
	if n.Autostart {
		paths = append(paths, f.autostart(n.Name))
	}
	if n.Definition != "" {
		paths = append(paths, f.definition(n.Name))
	}
	for _, p := range n.Ports {
		paths = append(paths, f.port(n.Name, p.ID))
	}
	for _, path := range append(paths, f.status(n.Name)) {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	// Unless something else is in them, which is no harm.
	_ = os.Remove(f.ports(n.Name))
	_ = os.Remove(filepath.Dir(f.ports(n.Name)))
	return nil
}

// own puts back what is missing of the files of a network.
func (b *Backend) own(o host.Own) error {
	files := b.libvirt()
	n, err := files.network(o.Network.Name)
	if err != nil {
		return err
	}
	missing, lacks := o.Missing(n)
	if !lacks {
		return fmt.Errorf("libvirt's network %s: %w", o.Network.Name, fs.ErrExist)
	}
	return files.put(missing)
}

// put writes files of a network, those that are not empty.
func (f libvirtFiles) put(n host.LibvirtNetwork) error {
	var errs []error
	write := func(path, text string) {
		if text != "" {
			errs = append(errs, replaceText(path, []byte(text), 0o600))
		}
	}
	write(f.definition(n.Name), n.Definition)
	if n.Autostart {
		err := os.Symlink(f.definition(n.Name), f.autostart(n.Name))
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		errs = append(errs, err)
	}
	for _, p := range n.Ports {
		write(f.port(n.Name, p.ID), p.Text)
	}
	write(f.status(n.Name), n.Status)
	return errors.Join(errs...)
}

// replaceText writes a file of libvirt's so that it has the old content or the new at any moment.
func replaceText(path string, text []byte, mode os.FileMode) error {
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path+".new", text, mode)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	return err
}
