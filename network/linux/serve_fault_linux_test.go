// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

func TestServeFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config func(*linux.Config)
		op     func(*host.Serve)
		want   error
		text   string
	}{
		{name: "no program", config: func(c *linux.Config) { c.Dnsmasq = "/nonexistent/dnsmasq" }, want: errors.ErrUnsupported, text: "no program /nonexistent/dnsmasq"},
		{name: "no link", op: func(o *host.Serve) { o.Server.Link = "br7" }, want: fs.ErrNotExist, text: "server on br7"},
		{name: "bad option", op: func(o *host.Serve) { o.Server.Options = []string{"no-such-thing=1"} }, want: fs.ErrInvalid, text: "dnsmasq: bad option at line"},
		{name: "option twice", op: func(o *host.Serve) { o.Server.Options = []string{"log-facility=/tmp/x"} }, want: fs.ErrInvalid, text: "dnsmasq: illegal repeated keyword"},
		{name: "name", op: func(o *host.Serve) { o.Server.Domain = "a b" }, want: fs.ErrInvalid, text: `name "a b" has the character ' '`},
		{name: "lease", op: func(o *host.Serve) {
			o.Leases = []host.Lease{{Addr: netip.MustParseAddr("10.9.0.11"), Hostname: "a b"}}
		}, want: fs.ErrInvalid, text: `host name "a b"`},
		{name: "tftp folder", op: func(o *host.Serve) { o.Server.Subnets[0].TFTPRoot = "/nonexistent/tftp" }, text: "/nonexistent/tftp"},
		{name: "another program", config: func(c *linux.Config) { c.Dnsmasq = "true" }, text: "dnsmasq: ended"},
		{name: "no program at all", config: func(c *linux.Config) { c.Dnsmasq = "false" }, text: "ended with status 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			b, op := p.Backend, serve4()
			if test.config != nil {
				b = p.open(t, test.config)
			}
			if test.op != nil {
				test.op(&op)
			}
			err := b.Do(t.Context(), op)
			require.Error(t, err)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
			require.ErrorContains(t, err, test.text)
			p.empty(t)
		})
	}
}

func TestServeWithoutProgramInPath(t *testing.T) {
	p := newPlace(t)
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	err := p.Do(t.Context(), serve4())
	t.Setenv("PATH", path)
	// The usual places are looked at as well.
	if _, statErr := os.Stat("/usr/sbin/dnsmasq"); statErr == nil {
		require.NoError(t, err)
		do(t, p.Backend, serve4().Inverse())
		return
	}
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, err, exec.ErrNotFound)
	require.ErrorContains(t, err, "no dnsmasq in PATH")
}

func TestServeFailsAtEachStep(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, step := range linux.ServeSteps {
		fault := errors.New("fault at " + step)
		p.AtServe(func(at string) error {
			if at == step {
				return fault
			}
			return nil
		})
		require.ErrorIs(t, p.Do(t.Context(), serve4()), fault)
		p.empty(t)

		ctx, cancel := context.WithCancel(t.Context())
		p.AtServe(func(at string) error {
			if at == step {
				cancel()
			}
			return nil
		})
		err := p.Do(ctx, serve4())
		if err == nil && (step == "wait" || step == "record") {
			// It answers already.
			do(t, p.Backend, serve4().Inverse())
		} else {
			require.ErrorIs(t, err, context.Canceled, step)
		}
		p.empty(t)
		cancel()
	}
	p.AtServe(nil)
	do(t, p.Backend, serve4(), serve4().Inverse())
	p.empty(t)
}

// TestServeFailsLate ends the program while it is waited for.
func TestServeFailsLate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.AtServe(func(at string) error {
		if at == "wait" {
			testenv.WaitFor(t, 10*time.Second, "the program runs", func() bool { return len(p.pids(t)) == 1 })
			p.kill(t)
		}
		return nil
	})
	require.ErrorContains(t, p.Do(t.Context(), serve4()), "dnsmasq: ")
	p.empty(t)
}

// TestServeGivesUp on a program that neither answers nor ends.
func TestServeGivesUp(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	program := filepath.Join(t.TempDir(), "dnsmasq")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho 'dnsmasq: thinking' >&2\nexec sleep 600\n"), 0o700))
	b := p.open(t, func(c *linux.Config) { c.Dnsmasq = program })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.Do(ctx, serve4()), context.DeadlineExceeded)
	p.empty(t)
}

// TestServeWithoutOtherUsers is in a user namespace that has none but root.
func TestServeWithoutOtherUsers(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	input, err := json.Marshal(helperJob{linux.Config{RunDir: dir, TieServers: true}, serve4()})
	require.NoError(t, err)
	cmd := exec.Command("sh", "-c", "ip link add br0 type bridge && ip addr add 10.9.0.1/24 dev br0 && ip link set br0 up && exec "+os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=stay")
	cmd.Stdin = strings.NewReader(string(input))
	only := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, UidMappings: only, GidMappings: only}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	conf, err := os.ReadFile(filepath.Join(dir, serverName, "dnsmasq.conf"))
	require.NoError(t, err)
	require.Contains(t, string(conf), "user=root\n")
}

func TestPortIsHeld(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, network, address, want string }{
		{"dns", "udp4", "10.9.0.1:53", "port 53"},
		{"dns of all addresses", "udp4", "0.0.0.0:53", "port 53"},
		{"dns by tcp", "tcp4", "10.9.0.1:53", "port 53"},
		{"dns of IPv6", "udp6", "[2001:db8:9::1]:53", "port 53"},
		{"dhcp", "udp4", "0.0.0.0:67", "port 67"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, op := newPlace(t), serve4()
			if test.network == "udp6" {
				op.Server.Subnets = append(op.Server.Subnets, host.Subnet{Prefix: netip.MustParsePrefix("2001:db8:9::1/64")})
			}
			p.ns.Run(t, func() {
				var err error
				if strings.HasPrefix(test.network, "tcp") {
					var l net.Listener
					l, err = net.Listen(test.network, test.address)
					t.Cleanup(func() { l.Close() })
				} else {
					var c net.PacketConn
					c, err = net.ListenPacket(test.network, test.address)
					t.Cleanup(func() { c.Close() })
				}
				require.NoError(t, err)
			})
			name, err := os.ReadFile("/proc/self/comm")
			require.NoError(t, err)
			err = p.Do(t.Context(), op)
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			require.ErrorContains(t, err, "("+test.want+" is held by process ")
			// A program that another test is starting holds a copy until it runs, and is named beside this one.
			require.ErrorContains(t, err, fmt.Sprintf("process %d, %q", os.Getpid(), strings.TrimSpace(string(name))))
			p.empty(t)
		})
	}
}
