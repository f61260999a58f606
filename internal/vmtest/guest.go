// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vmtest

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the guest's first programs
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

//go:embed guest-init
var guestInit string

//go:embed guest-lease
var guestLease string

// guestModules are what the kernel of a guest needs for its card, and to take a lease.
var guestModules = []string{"virtio_net"}

// A Guest is a small machine with one network card, for which it takes an address by DHCP when it starts. It runs until it
// is closed.
type Guest struct {
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	folder string
	said   bytes.Buffer
}

// Boot starts a guest. Args are those of the emulator for its card, and files are numbered from 3 in the emulator, which
// has them for itself: they can be closed. The guest ends with ctx.
func (i *Image) Boot(ctx context.Context, args []string, files ...*os.File) (*Guest, error) {
	folder, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	g := &Guest{folder: folder}
	ramdisk := filepath.Join(folder, "ramdisk")
	if err := i.writeGuest(ramdisk); err != nil {
		return nil, errors.Join(fmt.Errorf("files of the guest: %w", err), os.RemoveAll(folder))
	}
	g.cmd = i.QEMU(ctx, append([]string{
		"-accel", "tcg", "-cpu", "max,la57=off", "-M", "q35", "-m", "192", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", i.Kernel(), "-initrd", ramdisk, "-serial", "stdio",
		"-append", "console=ttyS0 panic=-1 quiet loglevel=3 no_timer_check tsc=reliable mitigations=off nokaslr",
	}, args...)...)
	g.cmd.ExtraFiles = files
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	g.cmd.Stderr = &g.said
	out, err := g.cmd.StdoutPipe()
	if err == nil {
		err = g.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	g.lines = bufio.NewScanner(out)
	return g, nil
}

// Lease waits until the guest has an address, and returns what it was told: "address", the address with its mask, "router",
// "dns", "mtu", each with its value.
func (g *Guest) Lease() (map[string]string, error) {
	const word = "guest: "
	for g.lines.Scan() {
		_, said, ok := strings.Cut(strings.TrimSpace(g.lines.Text()), word)
		if !ok {
			continue
		}
		fields := strings.Fields(said)
		if len(fields)%2 != 0 || fields[0] != "address" {
			return nil, fmt.Errorf("the guest says: %s", said)
		}
		lease := map[string]string{}
		for k := 0; k < len(fields); k += 2 {
			lease[fields[k]] = fields[k+1]
		}
		return lease, nil
	}
	return nil, fmt.Errorf("the guest has ended: %w", errors.Join(g.lines.Err(), g.cmd.Wait(), errors.New(g.said.String())))
}

// Close switches the guest off.
func (g *Guest) Close() error {
	if err := g.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = g.cmd.Wait() // it was killed
	return os.RemoveAll(g.folder)
}

// writeGuest writes all files of a guest.
func (i *Image) writeGuest(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	modules, err := i.modules(guestModules)
	if err != nil {
		return err
	}
	a := NewArchive(f)
	a.Copy("/bin/busybox", filepath.Join(i.Root(), "usr", "bin", "busybox"))
	a.File("/init", 0o755, guestInit)
	a.File("/lease", 0o755, guestLease)
	names := ""
	for _, m := range modules {
		name := path.Join("/modules.d", path.Base(m))
		a.Copy(name, m)
		names += name + "\n"
	}
	a.File("/modules", 0o644, names)
	return errors.Join(a.Close(), f.Close())
}

// modules are the files of modules and of what they need, in the order in which they can be loaded. What the kernel has
// built in is none of them.
func (i *Image) modules(names []string) (files []string, err error) {
	lists, err := filepath.Glob(filepath.Join(i.Root(), "lib", "modules", "*", "modules.dep"))
	if err != nil || len(lists) != 1 {
		return nil, errors.Join(fmt.Errorf("%d lists of modules", len(lists)), err)
	}
	list, err := os.Open(lists[0])
	if err != nil {
		return nil, err
	}
	defer list.Close()
	needs := map[string][]string{}
	for r := bufio.NewReader(list); err == nil; {
		var line string
		line, err = r.ReadString('\n')
		if file, rest, ok := strings.Cut(line, ":"); ok {
			name := strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
			// The list has what is needed at once first, and what that needs last.
			needs[name] = append(strings.Fields(rest), file)
			slices.Reverse(needs[name][:len(needs[name])-1])
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	for _, name := range names {
		for _, file := range needs[name] {
			if file = filepath.Join(filepath.Dir(lists[0]), file); !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files, nil
}
