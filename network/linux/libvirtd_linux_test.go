// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A libvirt has networks, and guests on them.
type libvirt struct {
	*testenv.Libvirt
	t *testing.T
}

func startLibvirt(t *testing.T) *libvirt {
	t.Helper()
	require.NoError(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	require.NoError(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
	return &libvirt{testenv.StartLibvirt(t), t}
}

func (lv *libvirt) ip(args ...string) string { lv.t.Helper(); return lv.Run("ip", args...) }

func (lv *libvirt) runs(name string) bool {
	lv.t.Helper()
	return strings.Contains(lv.Virsh("net-info", name), "Active:         yes")
}

func (lv *libvirt) defineText(text string) {
	lv.t.Helper()
	lv.Virsh("net-define", lv.Write("/run/network.xml", text))
}

// define defines and starts a network.
func (lv *libvirt) define(name, bridge, subnet, gateway6 string, autostart bool) {
	lv.t.Helper()
	lv.defineText(fmt.Sprintf(`<network><name>%s</name><forward mode='nat'/><bridge name='%s' stp='on' delay='0'/>
<ip address='%s.1' netmask='255.255.255.0'><dhcp><range start='%s.100' end='%s.199'/></dhcp></ip>
<ip family='ipv6' address='%s' prefix='64'/><route address='%s' prefix='32' gateway='%s.9'/></network>`,
		name, bridge, subnet, subnet, subnet, gateway6, "10"+strings.TrimPrefix(subnet, "192")+".7", subnet))
	lv.Virsh("net-start", name)
	if autostart {
		lv.Virsh("net-autostart", name)
	}
}

// port makes a port of a guest, as the driver of virtual machines does.
func (lv *libvirt) port(network, id, guest, mac string) {
	lv.t.Helper()
	lv.Virsh("net-port-create", network, lv.Write("/run/port.xml", fmt.Sprintf(
		"<networkport><uuid>%s</uuid><owner><name>%s</name><uuid>e7db3b93-009d-48d2-a242-09296d4a1c00</uuid></owner><mac address='%s'/></networkport>", id, guest, mac)))
}

// outside is a host that answers at port 7, and knows no way back to the guests' subnets.
func (lv *libvirt) outside() string {
	lv.t.Helper()
	ns := testenv.New(lv.t)
	lv.ip("link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", ns.Path())
	lv.ip("addr", "add", "10.99.0.1/24", "dev", "up0")
	lv.ip("link", "set", "up0", "up")
	ns.Output(lv.t, "ip", "addr", "add", "10.99.0.2/24", "dev", "eth0")
	ns.Output(lv.t, "ip", "link", "set", "eth0", "up")
	ctx, cancel := context.WithCancel(context.Background())
	lv.t.Cleanup(cancel)
	require.NoError(lv.t, lab.Echo(ctx, ns.Path()))
	return fmt.Sprintf("10.99.0.2:%d", lab.EchoPort)
}

// A libvirtGuest is plugged into a bridge of libvirt's by a tap.
type libvirtGuest struct {
	*testenv.Namespace
	t *testing.T
}

// guest makes a tap as libvirt does, plugs it into virbr0, and puts a guest at its other end.
func (lv *libvirt) guest(b *linux.Backend, tap, mac string) *libvirtGuest {
	lv.t.Helper()
	ns := testenv.New(lv.t)
	hw, err := net.ParseMAC(mac)
	require.NoError(lv.t, err)
	lv.ip("tuntap", "add", "dev", tap, "mode", "tap", "vnet_hdr")
	lv.ip("link", "set", tap, "address", "fe"+mac[2:])
	lv.ip("link", "set", tap, "master", "virbr0")
	lv.ip("link", "set", tap, "up")
	files, err := b.OpenTap(context.Background(), tap, 1)
	require.NoError(lv.t, err)
	g, err := lab.Boot(ns.Path(), "eth0", hw, files[0])
	require.NoError(lv.t, err)
	lv.t.Cleanup(func() { _, _ = g.Close(), files[0].Close() })
	return &libvirtGuest{ns, lv.t}
}

// lease takes a lease, and its address and route the first time.
func (g *libvirtGuest) lease(o dhcpclient.Options) *dhcpclient.Grant {
	g.t.Helper()
	got := lease(g.t, g.Namespace, o)
	if !strings.Contains(g.Output(g.t, "ip", "-4", "addr", "show", "dev", "eth0"), got.Addr.String()) {
		g.Output(g.t, "ip", "addr", "add", got.Addr.String(), "dev", "eth0")
		g.Output(g.t, "ip", "route", "add", "default", "via", got.Router[0].String())
	}
	return got
}

// A conversation is a guest that asks a hundred times a second, over one connection.
type conversation struct {
	name string
	t    *testing.T
	quit chan struct{}
	done chan error
	sent atomic.Int64
	slow time.Duration
}

// talk begins to ask. Each question has its number, and its answer has to come: over UDP nobody repeats it.
func (g *libvirtGuest) talk(protocol, to string) *conversation {
	g.t.Helper()
	var conn net.Conn
	require.NoError(g.t, lab.Enter(g.Path(), func() (err error) {
		conn, err = net.DialTimeout(protocol, to, 5*time.Second)
		return err
	}))
	s := &conversation{name: protocol + " from " + conn.LocalAddr().String(), t: g.t, quit: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		defer conn.Close()
		s.done <- s.ask(conn)
	}()
	return s
}

func (s *conversation) ask(conn net.Conn) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.quit:
			return nil
		case <-tick.C:
		}
		question := binary.BigEndian.AppendUint64(nil, uint64(s.sent.Load()))
		began := time.Now()
		if _, err := conn.Write(question); err != nil {
			return err
		}
		answer := make([]byte, len(question))
		if err := conn.SetReadDeadline(began.Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, answer); err != nil {
			return fmt.Errorf("question %d: %w", s.sent.Load(), err)
		}
		if string(answer) != string(question) {
			return fmt.Errorf("question %d has the answer %x", s.sent.Load(), answer)
		}
		s.slow = max(s.slow, time.Since(began))
		s.sent.Add(1)
	}
}

// Conversations are those of several guests, over TCP and UDP.
type conversations []*conversation

func talkAll(to string, guests ...*libvirtGuest) (all conversations) {
	for _, g := range guests {
		all = append(all, g.talk("tcp", to), g.talk("udp", to))
	}
	return all
}

// end ends them, after a hundred questions more: none may have been without an answer.
func (all conversations) end(t *testing.T) {
	t.Helper()
	for _, c := range all {
		before := c.sent.Load()
		testenv.WaitFor(t, 30*time.Second, c.name+" goes on", func() bool { return c.sent.Load() >= before+100 || len(c.done) > 0 })
		close(c.quit)
		require.NoError(t, <-c.done, c.name)
		t.Logf("%s: %d questions, all answered, the slowest after %s", c.name, c.sent.Load(), c.slow)
	}
}
