// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// defaultNetwork is the NAT network that libvirt comes with.
//
//go:embed default.xml
var defaultNetwork string

const guestInterface = `<interface type='network'>
  <mac address='52:54:00:12:34:56'/>
  <source network='default'/>
  <model type='virtio'/>
</interface>`

// demo starts the default network, attaches a guest and shows that it works; with the kernel of this machine if it may,
// else on a machine in memory.
func demo(ctx context.Context, c *call) error {
	out := c.out
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		return demoOnKernel(ctx, out)
	}
	fmt.Fprintln(out, "Not root on Linux: this is a machine in memory. As root the same is done by the kernel, in")
	fmt.Fprintln(out, "network namespaces of its own, with a guest that takes a lease and reaches the outside.")
	return demoInMemory(ctx, out)
}

// demoInMemory is the demo on a machine in memory: the same plan, without a guest that could use it.
func demoInMemory(ctx context.Context, out io.Writer) error {
	machine := hosttest.New("eth0")
	before := machine.String()
	s := &performance{out: out, backend: machine, store: network.Memory()}
	if err := s.start(ctx); err != nil {
		return err
	}
	fmt.Fprint(out, "\nWhat stands\n")
	if err := printStanding(ctx, out, s.nets); err != nil {
		return err
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	if machine.String() != before {
		return fmt.Errorf("something is left:\n%s", machine)
	}
	fmt.Fprint(out, "\nNothing is left: the machine is as it was.\n")
	fmt.Fprint(out, "\nSummary: the network was started and stopped, the guest attached and detached, in memory.\n")
	fmt.Fprint(out, "Skipped: the guest's lease, name and connection, which need the kernel (root on Linux).\n")
	return nil
}

// A performance is the part of the demo that is the same on every host.
type performance struct {
	out     io.Writer
	backend host.Backend
	store   network.Store
	nets    *network.Manager
	port    *domainiface.Port
}

// start defines and starts the default network and attaches the guest to it.
func (s *performance) start(ctx context.Context) error {
	nets, err := network.Open(ctx, narrator{s.backend, s.out}, s.store)
	if err != nil {
		return err
	}
	s.nets = nets
	n, err := network.Parse(strings.NewReader(defaultNetwork))
	if err != nil {
		return err
	}
	if err := nets.Define(ctx, n); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\nStart of network %q\n", n.Name)
	began := time.Now()
	if err := nets.Start(ctx, n.Name); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "  %9s  in all\n\nAttaching the guest\n", took(began))
	began = time.Now()
	nic, err := domainiface.Parse(strings.NewReader(guestInterface))
	if err != nil {
		return err
	}
	if s.port, err = domainiface.Attach(ctx, nets, domainiface.Guest{Name: "guest"}, nic); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "  %9s  in all\n", took(began))
	return nil
}

// stop takes away what start made, whatever of it stands.
func (s *performance) stop(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if s.nets == nil {
		return nil
	}
	if s.port != nil {
		fmt.Fprint(s.out, "\nDetaching the guest\n")
		began := time.Now()
		if err := s.port.Detach(ctx); err != nil {
			return err
		}
		s.port = nil
		fmt.Fprintf(s.out, "  %9s  in all\n", took(began))
	}
	if status, err := s.nets.Lookup(ctx, "default"); err != nil || !status.Active() {
		return err
	}
	fmt.Fprintf(s.out, "\nStop of network %q\n", "default")
	began := time.Now()
	if err := s.nets.Stop(ctx, "default"); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "  %9s  in all\n", took(began))
	if err := s.nets.Undefine(ctx, "default"); err != nil {
		return err
	}
	s.nets = nil
	return nil
}

// filesBelow counts the regular files below a folder that hold something.
func filesBelow(folder string) []string {
	var files []string
	_ = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".") {
			files = append(files, path)
		}
		return nil
	})
	return files
}
