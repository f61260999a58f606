// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.MacvtapOpener = (*Backend)(nil)

// OpenMacvtap opens queues of a macvtap device; see [host.MacvtapOpener]. It does not use /dev/tapN: the number is that of
// the device in its network namespace, so that devices of two namespaces would have the same, and it names the one that
// came first. It reads the number of the character device where the namespace has it, and opens a node that nobody else
// sees and that leaves no trace. It takes the right to mount (CAP_SYS_ADMIN) and to make nodes (CAP_MKNOD).
func (b *Backend) OpenMacvtap(ctx context.Context, made host.AddMacvtap, queues int) ([]*os.File, error) {
	if err := errors.Join(ctx.Err(), made.Check()); err != nil {
		return nil, err
	}
	if most := max(made.Queues, 1); queues < 1 || queues > most {
		return nil, fmt.Errorf("macvtap %s: %d queues, from 1 to %d are allowed: %w", made.Link, queues, most, fs.ErrInvalid)
	}
	l, err := b.rt.Link(made.Link)
	if err != nil {
		return nil, err
	}
	names, err := b.names(host.Scope{}, []rtnl.Link{l})
	if err != nil {
		return nil, err
	}
	if !made.Made(linkFact(l, names)) {
		return nil, fmt.Errorf("%s is no macvtap device on %s with hardware address %s: %w", made.Link, made.Lower, made.MAC, fs.ErrNotExist)
	}
	files, err := b.openMacvtap(l, queues, tapFlags(made.Queues > 1, made.VnetHdr))
	if err != nil {
		return nil, fmt.Errorf("macvtap %s: %w", made.Link, err)
	}
	return files, nil
}

func (b *Backend) openMacvtap(l rtnl.Link, queues int, flags uint16) ([]*os.File, error) {
	p, err := b.privacy.open(b.enter)
	if err != nil {
		return nil, err
	}
	device, err := p.characterDevice(l)
	if err != nil {
		return nil, err
	}
	node, err := p.addNode(device)
	if err != nil {
		return nil, err
	}
	defer p.removeNode(node)
	var files []*os.File
	for range queues {
		fd, err := p.openQueue(node, l.Name, flags)
		if err == nil {
			files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("/dev/tap%d", l.Index)))
			continue
		}
		for _, file := range files {
			err = errors.Join(err, file.Close())
		}
		return nil, err
	}
	return files, nil
}

// openQueue opens one queue, and makes sure that it is of the device of that name.
func (p *private) openQueue(node, name string, flags uint16) (int, error) {
	fd, err := ignoringEINTR(func() (int, error) { return unix.Openat(p.nodes, node, unix.O_RDWR|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, rtnl.Translate(&os.PathError{Op: "open", Path: "macvtap " + name, Err: err})
	}
	request, err := unix.NewIfreq("any")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, request)
	}
	if err == nil && request.Name() != name {
		err = fmt.Errorf("the device that was opened is %s: %w", request.Name(), fs.ErrNotExist)
	}
	if err == nil {
		request.SetUint16(flags)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return -1, rtnl.Translate(err)
	}
	return fd, nil
}

// A privacy is what a backend needs to open macvtap devices. It is made for the first of them and kept: to give back a file
// system takes the kernel longer than all the rest.
type privacy struct {
	sync.Mutex
	made *private
}

// A private is two file systems that are mounted nowhere, so that nobody else sees them. They are gone when their descriptors
// are closed, and whatever was opened there.
type private struct {
	// sys is a sysfs of the backend's network namespace, and nodes is in memory.
	sys, nodes int
	// count is how many nodes there were.
	count atomic.Uint64
}

func (p *privacy) open(enter func(func() error) error) (*private, error) {
	p.Lock()
	defer p.Unlock()
	if p.made != nil {
		return p.made, nil
	}
	made := &private{}
	err := enter(func() (err error) {
		// In a thread that stays in the namespace until the sysfs is made.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		made.sys, err = detached("sysfs")
		return err
	})
	if err != nil {
		return nil, err
	}
	if made.nodes, err = detached("tmpfs"); err != nil {
		unix.Close(made.sys)
		return nil, err
	}
	p.made = made
	return made, nil
}

func (p *privacy) close() {
	p.Lock()
	defer p.Unlock()
	if p.made != nil {
		unix.Close(p.made.sys)
		unix.Close(p.made.nodes)
		p.made = nil
	}
}

// characterDevice finds the number of the character device of a macvtap device.
func (p *private) characterDevice(l rtnl.Link) (number uint64, err error) {
	path := fmt.Sprintf("class/net/%s/macvtap/tap%d/dev", l.Name, l.Index)
	fd, err := ignoringEINTR(func() (int, error) { return unix.Openat(p.sys, path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return 0, rtnl.Translate(&os.PathError{Op: "open", Path: "/sys/" + path, Err: err})
	}
	defer unix.Close(fd)
	text := make([]byte, 32)
	n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, text) })
	if err != nil {
		return 0, rtnl.Translate(&os.PathError{Op: "read", Path: "/sys/" + path, Err: err})
	}
	var major, minor uint32
	if _, err := fmt.Sscanf(strings.TrimSpace(string(text[:n])), "%d:%d", &major, &minor); err != nil {
		return 0, fmt.Errorf("/sys/%s holds %q: %w", path, text[:n], err)
	}
	return unix.Mkdev(major, minor), nil
}

// addNode makes a node for a character device, which has to be removed.
func (p *private) addNode(device uint64) (name string, err error) {
	name = strconv.FormatUint(p.count.Add(1), 10)
	if err := unix.Mknodat(p.nodes, name, unix.S_IFCHR|0o600, int(device)); err != nil {
		return "", rtnl.Translate(&os.PathError{Op: "mknod", Path: "private node", Err: err})
	}
	return name, nil
}

// removeNode removes a node. One that stays is seen by nobody, and never used again.
func (p *private) removeNode(name string) { _ = unix.Unlinkat(p.nodes, name, 0) }

// detached opens a new file system without mounting it anywhere. One of type sysfs shows the network namespace of the
// thread.
func detached(kind string) (int, error) {
	wrap := func(err error) error {
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENODEV) {
			err = fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
		}
		return rtnl.Translate(&os.PathError{Op: "mount", Path: kind, Err: err})
	}
	context, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, wrap(err)
	}
	defer unix.Close(context)
	if err := unix.FsconfigCreate(context); err != nil {
		return -1, wrap(err)
	}
	fd, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return -1, wrap(err)
	}
	return fd, nil
}

// ignoringEINTR repeats a system call that the signals of the runtime interrupt.
func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
