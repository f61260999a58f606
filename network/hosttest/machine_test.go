// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func do(t *testing.T, m *Machine, ops ...host.Op) {
	t.Helper()
	for _, op := range ops {
		require.NoError(t, m.Do(t.Context(), op), op.String())
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got))
}

func full(t *testing.T) *Machine {
	t.Helper()
	m := New("eth0", "eth1")
	do(t, m, Suite{}.network()...)
	do(t, m, host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.7/24")}, host.EnableForwarding{}, up("lo"))
	require.NoError(t, m.AddRoute(host.Route{Dest: netip.MustParsePrefix("10.0.0.0/8"), Link: "eth1", Table: 100}))
	require.NoError(t, m.Advertise(host.Route{
		Dest: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fe80::1"), Link: "eth1", Metric: 1024, Table: host.MainTable,
	}))
	require.NoError(t, m.GiveLease("n1", host.Lease{Addr: netip.MustParseAddr("192.168.7.101"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 9}, Hostname: "nine"}))
	require.NoError(t, m.GiveLease("n1", host.Lease{Addr: netip.MustParseAddr("192.168.7.100")}))
	return m
}

func TestString(t *testing.T) {
	golden(t, "new.txt", New("eth0", "eth1").String())
	golden(t, "full.txt", full(t).String())
	require.Equal(t, "link lo type - mac 00:00:00:00:00:00 mtu 65536\n", new(Machine).String())
}

func TestNewPanics(t *testing.T) {
	require.Panics(t, func() { New("eth0", "eth0") })
	require.Panics(t, func() { New("eth 0") })
}

func TestFail(t *testing.T) {
	m := New("eth0")
	before := m.String()
	cause := errors.New("out of memory")
	var asked []string
	m.Fail = func(op host.Op) error {
		asked = append(asked, op.String())
		require.Equal(t, before, m.String(), "the machine can be looked at")
		return cause
	}
	require.ErrorIs(t, m.Do(t.Context(), br0), cause)
	require.ErrorIs(t, m.Do(t.Context(), host.SetUp{}), fs.ErrInvalid, "what makes no sense is not asked about")
	require.Equal(t, []string{br0.String()}, asked)
	require.Equal(t, before, m.String())
	require.Empty(t, m.Log())

	m.Fail = nil
	do(t, m, br0)
	require.ErrorIs(t, m.Do(t.Context(), br0), fs.ErrExist)
	require.Equal(t, []host.Op{br0}, m.Log())
}

func TestReboot(t *testing.T) {
	m := full(t)
	do(t, m, host.SetMTU{Link: "eth0", MTU: 9000, Was: 1500}, host.SetDown{Link: "eth1"})
	before, err := m.Facts(t.Context(), host.Scope{})
	require.NoError(t, err)
	m.Reboot()
	require.Equal(t, New("eth0", "eth1").String(), m.String())
	after, err := m.Facts(t.Context(), host.Scope{})
	require.NoError(t, err)
	require.NotEqual(t, before.Instance, after.Instance)
	require.NotEmpty(t, m.Log())
}

func TestFlushFilters(t *testing.T) {
	m := full(t)
	m.FlushFilters()
	set := host.SetFilter{Network: "n1", Filter: filter1}
	require.ErrorIs(t, m.Do(t.Context(), set.Inverse()), fs.ErrNotExist)
	do(t, m, set)
}

func TestKillServer(t *testing.T) {
	m := full(t)
	require.NoError(t, m.KillServer("n1"))
	require.ErrorIs(t, m.KillServer("n1"), fs.ErrNotExist)
	require.ErrorIs(t, m.GiveLease("n1", host.Lease{}), fs.ErrNotExist)
	f, err := m.Facts(t.Context(), serve.Scope())
	require.NoError(t, err)
	require.Empty(t, f.Servers)
	left, err := m.Leases(t.Context(), "n1")
	require.NoError(t, err)
	require.Len(t, left, 2)

	again := serve
	again.Leases = []host.Lease{{Addr: left[1].Addr, Hostname: "older"}, {Addr: netip.MustParseAddr("192.168.7.110")}}
	do(t, m, again)
	leases, err := m.Leases(t.Context(), "n1")
	require.NoError(t, err)
	require.Equal(t, append(left, again.Leases[1]), leases)

	require.NoError(t, m.KillServer("n1"))
	do(t, m, serve.Inverse())
	require.ErrorIs(t, m.Do(t.Context(), serve.Inverse()), fs.ErrNotExist, "nothing is left of it")
}

func TestServerOutlivesItsLink(t *testing.T) {
	m := full(t)
	do(t, m, br0.Inverse())
	leases, err := m.Leases(t.Context(), "n1")
	require.NoError(t, err)
	require.Len(t, leases, 2)
	do(t, m, serve.Inverse())
}

func TestPort53(t *testing.T) {
	m := full(t)
	second := with(serve, func(o *host.Serve) { o.Server.Name = "n2" })
	require.ErrorIs(t, m.Do(t.Context(), second), fs.ErrExist)
	second.Server.DNS = nil
	do(t, m, second)
}

func TestLeaseTakesThePlaceOfAnEarlierOne(t *testing.T) {
	m := full(t)
	lease := host.Lease{Addr: netip.MustParseAddr("192.168.7.100"), Hostname: "new"}
	require.NoError(t, m.GiveLease("n1", lease))
	leases, err := m.Leases(t.Context(), "n1")
	require.NoError(t, err)
	require.Equal(t, lease, leases[0])
	require.Len(t, leases, 2)
}

// TestAdvertisedRoutes has a machine that learned its way out and begins to forward.
func TestAdvertisedRoutes(t *testing.T) {
	learned := host.Route{
		Dest: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fe80::1"), Link: "eth0", Metric: 1024, Table: host.MainTable,
	}
	for _, c := range []struct {
		acceptRA string
		blocked  []string
		routes   []host.Route
	}{
		{"0", []string{"eth0"}, nil},
		{"1", []string{"eth0"}, nil},
		{"2", nil, []host.Route{learned}},
	} {
		t.Run("accept_ra="+c.acceptRA, func(t *testing.T) {
			m := New("eth0")
			require.NoError(t, m.Advertise(learned))
			do(t, m, host.SetSysctl{Key: "net/ipv6/conf/eth0/accept_ra", Value: c.acceptRA, Was: "1"})
			f, err := m.Facts(t.Context(), host.Scope{Forwarding: true})
			require.NoError(t, err)
			require.Equal(t, c.blocked, f.Forwarding.Blocked)
			do(t, m, host.EnableForwarding{IPv6: true})
			f, err = m.Facts(t.Context(), host.Scope{Routes: true})
			require.NoError(t, err)
			require.Equal(t, c.routes, f.Routes)
		})
	}
}

func TestForwardingOfOneLink(t *testing.T) {
	m := New("eth0")
	const key = "net/ipv4/conf/eth0/forwarding"
	value := func() string {
		f, err := m.Facts(t.Context(), host.Scope{Sysctls: []string{key}})
		require.NoError(t, err)
		value, _ := f.Sysctl(key)
		return value
	}
	require.Equal(t, "0", value())
	do(t, m, host.SetSysctl{Key: key, Value: "1", Was: "0"})
	require.Equal(t, "1", value())
	do(t, m, host.DisableForwarding{})
	require.Equal(t, "0", value(), "the machine's setting goes to all links")
	do(t, m, host.EnableForwarding{})
	require.Equal(t, "1", value())
}

func TestFullBridge(t *testing.T) {
	m := New()
	do(t, m, br0)
	tap := func(i int) host.AddTap {
		return host.AddTap{Link: fmt.Sprintf("tap%d", i), MAC: host.MAC{0xfe, 0, 0, 1, byte(i >> 8), byte(i)}}
	}
	for i := range maxPorts {
		do(t, m, tap(i), plug(tap(i).Link, "br0"))
	}
	do(t, m, tap(maxPorts))
	err := m.Do(t.Context(), plug(tap(maxPorts).Link, "br0"))
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.EqualError(t, err, "bridge br0 has 1023 ports, which is all a bridge can have: invalid argument")
	do(t, m, plug("tap7", "br0").Inverse(), plug(tap(maxPorts).Link, "br0"))
}

func TestPeerNameIsTaken(t *testing.T) {
	m := New()
	m.AddNamespace(guest)
	do(t, m, veth)
	second := with(veth, func(o *host.AddVeth) { o.Link = "veth1" })
	require.ErrorIs(t, m.Do(t.Context(), second), fs.ErrExist)
	m.AddNamespace("/run/netns/other")
	second.Namespace = "/run/netns/other"
	do(t, m, second)
}

func TestTapFilesCarryNothing(t *testing.T) {
	m := New()
	do(t, m, tap0)
	files, err := m.OpenTap(t.Context(), "tap0", 1)
	require.NoError(t, err)
	_, err = files[0].Write([]byte("frame"))
	require.NoError(t, err)
	data, err := io.ReadAll(files[0])
	require.NoError(t, err)
	require.Empty(t, data)
	require.NoError(t, files[0].Close())
}

func TestRefusalsOfTheKeyboard(t *testing.T) {
	m := New("eth0")
	require.ErrorIs(t, m.AddLink("eth0"), fs.ErrExist)
	require.ErrorIs(t, m.AddLink(""), fs.ErrInvalid)
	route := host.Route{Dest: netip.MustParsePrefix("10.0.0.0/8"), Link: "eth9", Table: host.MainTable}
	require.ErrorIs(t, m.AddRoute(route), fs.ErrNotExist)
	route.Link = "eth0"
	require.NoError(t, m.AddRoute(route))
	require.ErrorIs(t, m.AddRoute(route), fs.ErrExist)
	require.ErrorIs(t, m.Advertise(route), fs.ErrExist)
}

func TestCanceledLooks(t *testing.T) {
	m := New("eth0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.OpenTap(ctx, "eth0", 1)
	require.ErrorIs(t, err, context.Canceled)
	_, err = m.Leases(ctx, "n1")
	require.ErrorIs(t, err, context.Canceled)
}

// TestOperationsAreCopied writes into an operation after it was done.
func TestOperationsAreCopied(t *testing.T) {
	m := full(t)
	before := m.String()
	op := host.SetFilter{Network: "n2", Filter: host.Filter{Network: "n2", Link: "br1", From: []host.Rule{{Do: host.Drop}}}}
	do(t, m, op)
	op.Filter.From[0].Do = host.Return
	f, err := m.Facts(t.Context(), op.Scope())
	require.NoError(t, err)
	require.Equal(t, host.Drop, f.Filters[0].From[0].Do)
	op.Filter.From[0].Do = host.Drop
	do(t, m, op.Inverse())
	require.Equal(t, before, m.String())
	require.True(t, reflect.DeepEqual(op.Inverse(), m.Log()[len(m.Log())-1]))
}

func TestDropShape(t *testing.T) {
	m := full(t)
	m.DropShape("br0")
	f, err := m.Facts(t.Context(), host.Scope{Shapes: []string{"br0", "tap0"}})
	require.NoError(t, err)
	require.Empty(t, f.Classes)
	require.Len(t, f.Shapes, 1)
	require.Equal(t, "tap0", f.Shapes[0].Link)
}

func TestPoorMachine(t *testing.T) {
	m := &Machine{Shaping: &host.Shaping{Queues: []host.Queue{host.BFIFO}}}
	do(t, m, br0)
	require.ErrorIs(t, m.Do(t.Context(), setShape(shape0, host.Shape{})), errors.ErrUnsupported)
	do(t, m, setShape(shape1, host.Shape{}))
	f, err := m.Facts(t.Context(), host.Scope{Shaping: true})
	require.NoError(t, err)
	require.Equal(t, *m.Shaping, f.Shaping)
}

// An address of a DHCP server is one network's.
func TestDHCPServerOfAnother(t *testing.T) {
	m := New()
	set := func(network, link string, addrs ...string) error {
		return m.Do(t.Context(), host.SetFilter{Network: network, Filter: host.Filter{Network: network, Link: link, DHCP: answers(addrs...)}})
	}
	require.NoError(t, set("n1", "br1", "10.0.0.1", "10.0.1.1"))
	require.ErrorIs(t, set("n2", "br2", "10.0.1.1"), fs.ErrExist)
	require.NoError(t, set("n2", "br2", "10.0.2.1"))
	cannot := &Machine{Repairs: []host.Repair{host.Fill}}
	require.ErrorIs(t, cannot.Do(t.Context(), host.SetFilter{Network: "n1", Filter: filter3}), errors.ErrUnsupported)
	for _, m := range []*Machine{m, cannot} {
		f, err := m.Facts(t.Context(), host.Scope{All: true, Repairs: true})
		require.NoError(t, err)
		require.Equal(t, m != cannot, slices.Contains(f.Repairs, host.Clear))
	}
}
