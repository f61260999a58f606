// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

func TestMain(m *testing.M) { os.Exit(testenv.Alone(m)) }

const (
	lan = `<network><name>lan</name><forward/><bridge name='br1' stp='off'/><mac address='52:54:00:00:00:01'/>
<ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.99'/></dhcp></ip>` + noPing + `</network>`
	other = `<network><name>other</name><forward/><bridge name='br2' stp='off'/><mac address='52:54:00:00:00:02'/>
<ip address='10.9.2.1' prefix='24'><dhcp><range start='10.9.2.2' end='10.9.2.99'/></dhcp></ip>` + noPing + `</network>`
	// noPing spares a server the wait whether somebody has an address that it gives out.
	noPing = `<d:options xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><d:option value='no-ping'/></d:options>`
)

// A house is a host with two networks, and a container beside it.
type house struct {
	*testing.T
	host, container *testenv.Namespace
	// state and run are folders.
	state, run string
	before     string
	backend    *linux.Backend
	nets       *network.Manager
}

func newHouse(t *testing.T) *house {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	h := &house{T: t, host: testenv.New(t), container: testenv.New(t)}
	h.container.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1")
	h.host.Output(t, "ip", "link", "add", "eth9", "type", "bridge")
	h.host.Output(t, "ip", "link", "set", "eth9", "addrgenmode", "none")
	h.host.Output(t, "ip", "link", "set", "eth9", "up")
	h.host.SetSysctl(t, "net/ipv4/ip_forward", "1") // or nobody would know who switched it on, without the file that says so
	folder := t.TempDir()
	h.state, h.run = filepath.Join(folder, "state"), filepath.Join(folder, "run")
	require.NoError(t, os.Mkdir(h.run, 0o711))
	h.before = h.host.Snapshot(t)
	return h
}

// start defines and starts both networks.
func (h *house) start() {
	h.Helper()
	h.open()
	for _, text := range []string{lan, other} {
		h.define(text)
		require.NoError(h, h.nets.Start(h.Context(), nameOf(text)))
	}
}

func nameOf(text string) string {
	_, name, _ := strings.Cut(text, "<name>")
	name, _, _ = strings.Cut(name, "<")
	return name
}

func (h *house) define(text string) {
	h.Helper()
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(h, err)
	require.NoError(h, h.nets.Define(h.Context(), n))
}

// open opens the host, as the next program would.
func (h *house) open() {
	h.Helper()
	if h.backend != nil {
		require.NoError(h, h.backend.Close())
	}
	var err error
	h.backend, err = linux.Open(linux.Config{Namespace: h.host.Path(), RunDir: h.run})
	require.NoError(h, err)
	h.Cleanup(func() { _ = h.backend.Close() })
	h.nets, err = network.Open(h.Context(), h.backend, network.Dir(h.state))
	require.NoError(h, err)
}

// attach puts a guest on a network: a container, whose device is called as it is.
func (h *house) attach(network, name string) *domainiface.Port {
	h.Helper()
	i, err := domainiface.Parse(strings.NewReader(`<interface type='network'><source network='` + network + `'/><guest dev='` + name + `'/></interface>`))
	require.NoError(h, err)
	p, err := domainiface.Attach(h.Context(), h.nets, domainiface.Guest{Name: name, Namespace: h.container.Path()}, i)
	require.NoError(h, err)
	h.container.Output(h, "ip", "link", "set", name, "up")
	return p
}

// lease is the address that a guest gets from the server of its network.
func (h *house) lease(name string) string {
	h.Helper()
	var got *dhcpclient.Grant
	var err error
	h.container.Run(h, func() {
		ctx, cancel := context.WithTimeout(h.Context(), time.Minute)
		defer cancel()
		got, err = dhcpclient.Lease(ctx, name, dhcpclient.Options{Retransmit: 200 * time.Millisecond})
	})
	require.NoError(h, err)
	return got.Addr.Addr().String()
}

// whole wants everything as it was built.
func (h *house) whole() {
	h.Helper()
	drift, err := h.nets.Check(h.Context())
	require.NoError(h, err)
	require.Empty(h, drift)
}

// leave takes away everything: the host is as it was.
func (h *house) leave() {
	h.Helper()
	for _, name := range []string{"lan", "other"} {
		for p, err := range h.nets.Ports(h.Context(), name) {
			require.NoError(h, err)
			require.NoError(h, h.nets.DeletePort(h.Context(), name, p.Port.UUID))
		}
		require.NoError(h, h.nets.Stop(h.Context(), name))
	}
	h.host.Unchanged(h, h.before, "all taken away,")
	left, err := os.ReadDir(h.run)
	require.NoError(h, err)
	require.Empty(h, left)
}
