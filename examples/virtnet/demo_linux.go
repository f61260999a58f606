// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

const (
	uplinkAddr  = "203.0.113.1"
	outsideAddr = "203.0.113.2"
)

// A stage holds what the demo on the kernel builds around the library: three namespaces, and folders for files.
type stage struct {
	out                       io.Writer
	host, guest, outside      string // names of the namespaces
	hostFile, guestFile, outF string // their files
	folder                    string
	server                    net.Listener
}

// demoOnKernel is the demo with the kernel of this machine, in namespaces of its own.
func demoOnKernel(ctx context.Context, out io.Writer) (err error) {
	st, err := setStage(ctx, out)
	if st != nil {
		defer func() { err = errors.Join(err, st.clear(ctx)) }()
	}
	if err != nil {
		return err
	}
	run := filepath.Join(st.folder, "run")
	backend, err := linux.Open(linux.Config{Namespace: st.hostFile, RunDir: run})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backend.Close()) }()
	before, err := backend.Facts(ctx, host.Scope{All: true, Forwarding: true})
	if err != nil {
		return err
	}

	s := &performance{out: out, backend: backend, store: network.Dir(filepath.Join(st.folder, "state"))}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := st.useIt(ctx, s); err != nil {
		return err
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	return st.nothingLeft(ctx, backend, before)
}

// setStage makes the namespaces of the host, the guest and an outside server, and a wire between the host and the server.
func setStage(ctx context.Context, out io.Writer) (*stage, error) {
	name := func(who string) string { return fmt.Sprintf("virtnet-demo-%s-%d", who, os.Getpid()) }
	st := &stage{out: out, host: name("host"), guest: name("guest"), outside: name("outside")}
	fmt.Fprintln(out, "Three network namespaces: a host, a guest, and a server outside; nothing else on this machine is touched")
	for _, n := range []struct{ name, file *string }{{&st.host, &st.hostFile}, {&st.guest, &st.guestFile}, {&st.outside, &st.outF}} {
		file, err := lab.Namespace(ctx, *n.name)
		if err != nil {
			*n.name = ""
			return st, err
		}
		*n.file = file
	}
	folder, err := os.MkdirTemp("", "virtnet-demo-")
	if err != nil {
		return st, err
	}
	st.folder = folder
	if err := lab.Connect(ctx, st.host, "eth0", uplinkAddr+"/24", st.outside, "eth0", outsideAddr+"/24"); err != nil {
		return st, err
	}
	return st, st.serve()
}

// serve runs a server outside that tells who asks.
func (st *stage) serve() error {
	err := lab.Enter(st.outF, func() (err error) {
		st.server, err = net.Listen("tcp4", outsideAddr+":80")
		return err
	})
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := st.server.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, conn.RemoteAddr().(*net.TCPAddr).IP)
			conn.Close()
		}
	}()
	return nil
}

// clear removes the stage.
func (st *stage) clear(ctx context.Context) error {
	var errs []error
	if st.server != nil {
		errs = append(errs, st.server.Close())
	}
	for _, name := range []string{st.host, st.guest, st.outside} {
		if _, err := os.Stat("/run/netns/" + name); name != "" && err == nil {
			errs = append(errs, lab.Remove(ctx, name))
		}
	}
	if st.folder != "" {
		errs = append(errs, os.RemoveAll(st.folder))
	}
	return errors.Join(errs...)
}

// useIt boots the guest and does what a guest does: take an address, ask for a name, reach the outside.
func (st *stage) useIt(ctx context.Context, s *performance) error {
	queues, err := s.port.Open(ctx, 1)
	if err != nil {
		return err
	}
	defer queues[0].Close()
	guest, err := lab.Boot(st.guestFile, "eth0", s.port.MAC[:], queues[0])
	if err != nil {
		return err
	}
	defer guest.Close()

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fmt.Fprint(st.out, "\nThe guest (it waits four seconds for the bridge's spanning tree, and three for dnsmasq's look whether the address is free)\n")
	lease, err := st.takeLease(ctx)
	if err != nil {
		return err
	}
	if err := st.ask(ctx, lease); err != nil {
		return err
	}
	if err := st.reach(ctx); err != nil {
		return err
	}
	fmt.Fprint(st.out, "\nWhat stands\n")
	return printStanding(ctx, st.out, s.nets)
}

// takeLease takes an address from the network's DHCP server and uses it.
func (st *stage) takeLease(ctx context.Context) (*dhcpclient.Grant, error) {
	began := time.Now()
	var lease *dhcpclient.Grant
	err := lab.Enter(st.guestFile, func() (err error) {
		lease, err = dhcpclient.Lease(ctx, "eth0", dhcpclient.Options{Hostname: "guest", Retransmit: 700 * time.Millisecond})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	if len(lease.Router) == 0 || len(lease.DNS) == 0 {
		return nil, fmt.Errorf("lease of %s without a router or name server", lease.Addr)
	}
	fmt.Fprintf(st.out, "  %9s  lease of %s for %s, router %s, name server %s\n",
		took(began), lease.Addr, lease.Time, lease.Router[0], lease.DNS[0])
	for _, args := range []string{
		"addr add " + lease.Addr.String() + " dev eth0",
		"route add default via " + lease.Router[0].String(),
	} {
		if err := lab.IP(ctx, append([]string{"-n", st.guest}, strings.Fields(args)...)...); err != nil {
			return nil, err
		}
	}
	return lease, nil
}

// ask asks the network's name server for the guest's own name.
func (st *stage) ask(ctx context.Context, lease *dhcpclient.Grant) error {
	began := time.Now()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		err = lab.Enter(st.guestFile, func() (err error) {
			conn, err = (&net.Dialer{}).DialContext(ctx, "udp4", net.JoinHostPort(lease.DNS[0].String(), "53"))
			return err
		})
		return conn, err
	}}
	addrs, err := resolver.LookupNetIP(ctx, "ip4", "guest.")
	if err != nil {
		return fmt.Errorf("name server: %w", err)
	}
	fmt.Fprintf(st.out, "  %9s  the name guest is %s\n", took(began), addrs[0])
	if addrs[0].Unmap() != lease.Addr.Addr() {
		return fmt.Errorf("the name guest is %s and not %s", addrs[0], lease.Addr.Addr())
	}
	return nil
}

// reach connects to the server outside, which must see the host's address.
func (st *stage) reach(ctx context.Context) error {
	began := time.Now()
	var seen []byte
	err := lab.Enter(st.guestFile, func() error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", outsideAddr+":80")
		if err != nil {
			return err
		}
		seen, err = io.ReadAll(conn)
		return errors.Join(err, conn.Close())
	})
	if err != nil {
		return fmt.Errorf("outside: %w", err)
	}
	fmt.Fprintf(st.out, "  %9s  TCP to %s, which sees the guest as %s\n", took(began), outsideAddr, seen)
	if string(seen) != uplinkAddr {
		return fmt.Errorf("the outside sees %s and not the host's address %s", seen, uplinkAddr)
	}
	return nil
}

// nothingLeft compares the host with what it was, and looks for files and processes.
func (st *stage) nothingLeft(ctx context.Context, b host.Backend, before *host.Facts) error {
	after, err := b.Facts(ctx, host.Scope{All: true, Forwarding: true})
	if err != nil {
		return err
	}
	if before.String() != after.String() {
		return fmt.Errorf("something is left; before:\n%s\nafter:\n%s", before, after)
	}
	left := filesBelow(filepath.Join(st.folder, "run"))
	for _, file := range filesBelow(filepath.Join(st.folder, "state")) {
		if filepath.Base(file) != "host" {
			left = append(left, file)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("files are left: %s", strings.Join(left, ", "))
	}
	fmt.Fprint(st.out, "\nNothing is left: links, addresses, routes, filters, servers and files are as they were.\n")
	fmt.Fprint(st.out, "\nSummary: network, guest, lease, name and the way through the NAT work on this kernel. Skipped: nothing.\n")
	return nil
}
