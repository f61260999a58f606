// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/laws"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// The network that libvirt runs on a libvirtHost: its bridge, and a lease of its server.
var (
	theirBridge = host.AddBridge{Link: "virbr0", MAC: host.MAC{0x52, 0x54, 0, 0x33, 0x41, 0x53}, STP: true, ForwardDelay: 200}
	theirLease  = host.Lease{Addr: netip.MustParseAddr("192.168.122.45"), MAC: host.MAC{0x52, 0x54, 0, 0x11, 0x22, 0x33}, Hostname: "web"}
)

// libvirtHost is a host on which libvirt runs a network, as libvirt leaves it: with two guests on its bridge, of which it knows
// one, and another network's rules.
func libvirtHost(t *testing.T) *hosttest.Machine {
	t.Helper()
	status, err := os.ReadFile("testdata/adopt/default.status")
	require.NoError(t, err)
	definition, err := os.ReadFile("testdata/adopt/default.xml")
	require.NoError(t, err)
	port, err := os.ReadFile("testdata/adopt/web.port")
	require.NoError(t, err)
	m := hosttest.New("eth0")
	for _, op := range []host.Op{
		theirBridge, host.AddAddr{Link: "virbr0", Prefix: netip.MustParsePrefix("192.168.122.1/24")},
		host.SetSysctl{Key: "net/ipv6/conf/virbr0/disable_ipv6", Value: "1", Was: "0"},
		host.SetSysctl{Key: "net/ipv6/conf/virbr0/accept_ra", Value: "0", Was: "1"},
		host.SetUp{Link: "virbr0"}, host.EnableForwarding{},
		host.AddTap{Link: "vnet0", MAC: host.MAC{0xfe, 0x54, 0, 0x11, 0x22, 0x33}}, host.Plug{Link: "vnet0", Bridge: "virbr0"}, host.SetUp{Link: "vnet0"},
		host.AddTap{Link: "vnet1", MAC: host.MAC{0xfe, 0x54, 0, 0x11, 0x22, 0x44}}, host.Plug{Link: "vnet1", Bridge: "virbr0", Isolated: true}, host.SetUp{Link: "vnet1"},
		host.AddTap{Link: "vnet2", MAC: host.MAC{0xfe, 0x54, 0, 0x11, 0x22, 0x55}}, host.SetUp{Link: "vnet2"},
	} {
		require.NoError(t, m.Do(t.Context(), op))
	}
	subnet := []netip.Prefix{netip.MustParsePrefix("192.168.122.0/24")}
	m.SetLibvirt(host.Libvirt{
		Networks: []host.LibvirtNetwork{{
			Name: "default", Status: string(status), Definition: string(definition), Autostart: true,
			Ports: []host.LibvirtPort{{ID: "e7db3b93-009d-48d2-a242-09296d4a1c01", Text: string(port)}},
		}, {Name: "other", Definition: "<network><name>other</name></network>"}},
		Servers: []host.LibvirtServer{{Network: "default", Link: "virbr0", Command: []string{"/usr/sbin/dnsmasq", "--conf-file=/var/lib/libvirt/dnsmasq/default.conf"}}},
		Rules: []host.LibvirtRule{
			{Family: "ip", Table: "filter", Chain: "LIBVIRT_FWX", Text: `iifname "virbr0" oifname "virbr0" accept`, Links: []string{"virbr0"}},
			{Family: "ip", Table: "filter", Chain: "LIBVIRT_FWX", Text: `iifname "virbr1" oifname "virbr1" accept`, Links: []string{"virbr1"}},
			{Family: "ip", Table: "nat", Chain: "LIBVIRT_PRT", Text: `ip saddr 192.168.122.0/24 masquerade`, Subnets: subnet},
		},
	})
	m.SetLibvirtLeases("default", theirLease)
	return m
}

// theDefault asks for the network, with the guest of which libvirt has no port.
func theDefault() network.AdoptRequest {
	id, _ := schema.ParseUUID("e7db3b93-009d-48d2-a242-09296d4a1c02")
	return network.AdoptRequest{Name: "default", Ports: []network.AdoptPort{
		{Link: "vnet1", Port: &network.Port{UUID: id, Owner: &network.Owner{Name: "db"}, MAC: &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 0x11, 0x22, 0x44}}}},
	}}
}

func TestAdoptLaws(t *testing.T) {
	laws.Adopt(t, func(t *testing.T) laws.World {
		m := libvirtHost(t)
		return laws.World{Backend: m, Snapshot: m.String}
	}, theDefault())
}

// TestAdopt compares the plan and what then is on the host with what they should be.
func TestAdopt(t *testing.T) {
	ctx, m := t.Context(), libvirtHost(t)
	nets := open(t, m, network.Memory())
	done := len(m.Log())
	a, err := nets.Adopt(ctx, theDefault())
	require.NoError(t, err)
	golden := func(name, got string) {
		file := filepath.Join("testdata/adopt", name)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(string(want), got))
	}
	golden("plan.txt", a.Plan.String()+a.After.String())
	golden("after.txt", m.String())
	require.Empty(t, a.Others)
	ops := m.Log()[done:]
	require.IsType(t, host.SetFilter{}, ops[0], "our filter is there first")
	require.IsType(t, host.DropRules{}, ops[len(ops)-1], "libvirt's goes last")

	leases, err := m.Leases(ctx, a.Network.UUID.String())
	require.NoError(t, err)
	require.Equal(t, []host.Lease{theirLease}, leases)
	var guests []string
	for port, err := range nets.Ports(ctx, "default") {
		require.NoError(t, err)
		guests = append(guests, port.Link+" "+port.Port.Owner.Name+" "+port.Port.Plug.Bridge.String())
	}
	require.Equal(t, []string{"vnet0 web virbr0", "vnet1 db virbr0"}, guests)

	require.NoError(t, nets.Stop(ctx, "default"))
	require.NoError(t, nets.Start(ctx, "default"), "from the definition that was libvirt's")
	drift, err := nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, drift, "its guests are plugged in again")
	f, err := m.Facts(ctx, host.Scope{Forwarding: true})
	require.NoError(t, err)
	require.NoError(t, nets.Stop(ctx, "default"))
	require.True(t, f.Forwarding.IPv4)
	f, err = m.Facts(ctx, host.Scope{Forwarding: true})
	require.NoError(t, err)
	require.True(t, f.Forwarding.IPv4, "forwarding was on before, for others")
}

// TestAdoptKeepsWhatDiffers takes over a bridge that somebody has changed: it is left so, and what is missing is done.
func TestAdoptKeepsWhatDiffers(t *testing.T) {
	ctx, m := t.Context(), libvirtHost(t)
	was := theirBridge
	was.ForwardDelay = 400
	for _, op := range []host.Op{
		host.SetBridge{Bridge: was, Was: theirBridge},
		host.SetOwner{Link: "virbr0", MAC: was.MAC, Owner: "the lab's"},
		host.DelAddr{Link: "virbr0", Prefix: netip.MustParsePrefix("192.168.122.1/24")},
		host.AddAddr{Link: "virbr0", Prefix: netip.MustParsePrefix("10.77.0.1/24")},
		host.SetSysctl{Key: "net/ipv6/conf/virbr0/accept_ra", Value: "2", Was: "0"},
		host.DisableForwarding{},
	} {
		require.NoError(t, m.Do(ctx, op))
	}
	nets := open(t, m, network.Memory())
	_, err := nets.Adopt(ctx, network.AdoptRequest{Name: "default"})
	require.NoError(t, err)
	f, err := m.Facts(ctx, host.Scope{Links: []string{"virbr0"}, Sysctls: []string{"net/ipv6/conf/virbr0/accept_ra"}, Forwarding: true})
	require.NoError(t, err)
	require.Equal(t, 400, f.Link("virbr0").ForwardDelay)
	require.True(t, f.HasAddr("virbr0", netip.MustParsePrefix("192.168.122.1/24")))
	require.True(t, f.HasAddr("virbr0", netip.MustParsePrefix("10.77.0.1/24")))
	value, _ := f.Sysctl("net/ipv6/conf/virbr0/accept_ra")
	require.Equal(t, "0", value)
	require.True(t, f.Forwarding.IPv4)
	drift, err := nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, drift)
	require.NoError(t, nets.Stop(ctx, "default"))
	f, err = m.Facts(ctx, host.Scope{Forwarding: true})
	require.NoError(t, err)
	require.False(t, f.Forwarding.IPv4, "it was switched on for the network alone")
}

// TestAdoptWithoutServer takes over a network whose dnsmasq has died: the leases it left behind are known.
func TestAdoptWithoutServer(t *testing.T) {
	ctx, m := t.Context(), libvirtHost(t)
	f, err := m.Facts(ctx, host.Scope{Libvirt: true})
	require.NoError(t, err)
	f.Libvirt.Servers = nil
	m.SetLibvirt(f.Libvirt)
	nets := open(t, m, network.Memory())
	a, err := nets.Adopt(ctx, network.AdoptRequest{Name: "default"})
	require.NoError(t, err)
	require.Equal(t, []string{"vnet1"}, a.Others, "of which libvirt knows nothing")
	leases, err := m.Leases(ctx, a.Network.UUID.String())
	require.NoError(t, err)
	require.Equal(t, []host.Lease{theirLease}, leases)
}

// TestAdoptTransient leaves a network without a definition, and one that has a definition of ours with that.
func TestAdoptTransient(t *testing.T) {
	ctx, m := t.Context(), libvirtHost(t)
	f, err := m.Facts(ctx, host.Scope{Libvirt: true})
	require.NoError(t, err)
	theirs := f.Libvirt.Network("default")
	theirs.Definition, theirs.Autostart = "", false
	m.SetLibvirt(f.Libvirt)
	nets := open(t, m, network.Memory())
	_, err = nets.Adopt(ctx, network.AdoptRequest{Name: "default"})
	require.NoError(t, err)
	s, err := nets.Lookup(ctx, "default")
	require.NoError(t, err)
	require.False(t, s.Persistent() || s.Autostart)

	m = libvirtHost(t)
	nets = open(t, m, network.Memory())
	n, err := network.Parse(strings.NewReader(`<network><name>default</name><uuid>e7db3b93-009d-48d2-a242-09296d4a1c25</uuid><title>ours</title></network>`))
	require.NoError(t, err)
	require.NoError(t, nets.Define(ctx, n))
	_, err = nets.Adopt(ctx, network.AdoptRequest{Name: "default"})
	require.NoError(t, err)
	s, err = nets.Lookup(ctx, "default")
	require.NoError(t, err)
	require.Equal(t, "ours", s.Definition.Title)
	require.Equal(t, "virbr0", s.Live.Bridge.Name)
	require.True(t, s.Autostart)
}

// TestAdoptRefuses changes something so that the network cannot be taken over. Nothing is changed then.
func TestAdoptRefuses(t *testing.T) {
	ctx := t.Context()
	status := func(old, with string) func(*hosttest.Machine, *host.Libvirt, *network.AdoptRequest) {
		return func(_ *hosttest.Machine, l *host.Libvirt, _ *network.AdoptRequest) {
			n := l.Network("default")
			n.Status = strings.ReplaceAll(n.Status, old, with)
		}
	}
	op := func(ops ...host.Op) func(*hosttest.Machine, *host.Libvirt, *network.AdoptRequest) {
		return func(m *hosttest.Machine, _ *host.Libvirt, _ *network.AdoptRequest) {
			for _, op := range ops {
				require.NoError(t, m.Do(ctx, op))
			}
		}
	}
	request := func(change func(*network.AdoptRequest)) func(*hosttest.Machine, *host.Libvirt, *network.AdoptRequest) {
		return func(_ *hosttest.Machine, _ *host.Libvirt, r *network.AdoptRequest) { change(r) }
	}
	for _, c := range []struct {
		name   string
		change func(*hosttest.Machine, *host.Libvirt, *network.AdoptRequest)
		kind   error
		text   string
	}{
		{"the daemon runs", func(_ *hosttest.Machine, l *host.Libvirt, _ *network.AdoptRequest) { l.Daemon = 4711 }, network.ErrBusy,
			`network "default" is run by libvirt, process 4711, which has to be stopped meanwhile: guests and networks go on without it`},
		{"unknown", request(func(r *network.AdoptRequest) { r.Name = "office" }), fs.ErrNotExist, `libvirt runs no network "office"`},
		{"not running", request(func(r *network.AdoptRequest) { r.Name = "other" }), fs.ErrNotExist, `libvirt runs no network "other"`},
		{"another document", request(func(r *network.AdoptRequest) { r.Network = small(t, 1) }), fs.ErrInvalid, `/network/name: the document of network "default" is that of "net1"`},
		{"no document", status("networkstatus", "status"), fs.ErrInvalid,
			`libvirt's network "default": status of a network: no <network> in a <networkstatus>: EOF: invalid argument`},
		{"a document that breaks a rule", status("address='192.168.122.1'", "address='192.168.122.300'"), nil, "192.168.122.300"},
		{"no bridge of libvirt's making", request(func(r *network.AdoptRequest) {
			r.Network = &network.Network{Name: "default", Forward: &network.Forward{Mode: network.ForwardBridge}, Bridge: &network.Bridge{Name: "virbr0"}}
		}), errors.ErrUnsupported, `/network/forward/@mode: libvirt made no bridge for network "default": it is defined and started, not taken over`},
		{"bandwidth", status("<mac address", "<bandwidth><inbound average='100'/></bandwidth><mac address"), errors.ErrUnsupported,
			"/network/bandwidth: what libvirt shapes on virbr0 cannot be taken over"},
		{"no address of the bridge", status("<mac address='52:54:00:33:41:53'/>", ""), fs.ErrInvalid,
			"/network: the document of a network that runs has a uuid, and a bridge with its name and hardware address"},
		{"the bridge is gone", op(theirBridge.Inverse()), fs.ErrNotExist, "/network/bridge/@name: the host has no bridge virbr0"},
		{"another bridge", status("52:54:00:33:41:53", "52:54:00:33:41:54"), fs.ErrExist,
			"/network/mac/@address: bridge virbr0 has the address 52:54:00:33:41:53, not 52:54:00:33:41:54"},
		{"ours already", op(host.SetOwner{Link: "virbr0", MAC: theirBridge.MAC, Owner: "virtnet:1"}), fs.ErrExist,
			"/network/bridge/@name: bridge virbr0 is ours already: virtnet:1"},
		{"a subnet elsewhere", op(host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("192.168.122.9/24")}), fs.ErrExist,
			"/network/ip[1]: 192.168.122.0/24 overlaps an address of the host: 192.168.122.9/24 dev eth0"},
		{"a definition of another network", func(_ *hosttest.Machine, l *host.Libvirt, _ *network.AdoptRequest) {
			n := l.Network("default")
			n.Definition = strings.Replace(n.Definition, "1c25", "1c26", 1)
		}, fs.ErrInvalid, `libvirt's definition of network "default": /network/uuid: it is e7db3b93-009d-48d2-a242-09296d4a1c26, and e7db3b93-009d-48d2-a242-09296d4a1c25 of the network that runs`},
		{"a server that would not be", status("<ip address", "<dns enable='no'/><ip address"), nil, ""},
		{"no tap", request(func(r *network.AdoptRequest) { r.Ports[0].Link = "vnet9" }), fs.ErrNotExist,
			`/networkport: the host has no tap "vnet9" that is plugged into virbr0`},
		{"a tap elsewhere", request(func(r *network.AdoptRequest) { r.Ports[0].Link = "vnet2" }), fs.ErrNotExist,
			`/networkport: the host has no tap "vnet2" that is plugged into virbr0`},
		{"a tap that is ours", op(host.SetOwner{Link: "vnet1", MAC: host.MAC{0xfe, 0x54, 0, 0x11, 0x22, 0x44}, Owner: "virtnet:2"}), fs.ErrExist,
			"/networkport: tap vnet1 is ours already: virtnet:2"},
		{"no port", request(func(r *network.AdoptRequest) { r.Ports[0].Port = nil }), fs.ErrInvalid, "/networkport/uuid: the port of vnet1 has none"},
		{"a broken port", func(_ *hosttest.Machine, l *host.Libvirt, _ *network.AdoptRequest) {
			l.Network("default").Ports[0].Text = "<networkport>"
		}, nil, "libvirt's port e7db3b93-009d-48d2-a242-09296d4a1c01: "},
		{"a floor", func(_ *hosttest.Machine, l *host.Libvirt, _ *network.AdoptRequest) {
			p := &l.Network("default").Ports[0]
			p.Text = strings.Replace(p.Text, "<plug", "<bandwidth><inbound average='100' floor='50'/></bandwidth><plug", 1)
		}, errors.ErrUnsupported, "/networkport/bandwidth/inbound/@floor: what libvirt guarantees on virbr0 cannot be taken over"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, req := libvirtHost(t), theDefault()
			f, err := m.Facts(ctx, host.Scope{Libvirt: true})
			require.NoError(t, err)
			c.change(m, &f.Libvirt, &req)
			m.SetLibvirt(f.Libvirt)
			before, store := m.String(), network.Memory()
			nets := open(t, m, store)
			_, err = nets.Adopt(ctx, req)
			if c.text == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.text)
			if c.kind != nil {
				require.ErrorIs(t, err, c.kind)
			}
			require.Equal(t, before, m.String())
			require.Empty(t, names(t, nets))
		})
	}
}

// TestAdoptConflicts refuses what is another network's of ours.
func TestAdoptConflicts(t *testing.T) {
	ctx, m := t.Context(), libvirtHost(t)
	nets := open(t, m, network.Memory())
	for text, want := range map[string]string{
		`<network><name>default</name><ip address='10.5.0.1' prefix='24'/></network>`:                                  `/network/uuid: network "default" has the uuid `,
		`<network><name>mine</name><bridge name='virbr0'/></network>`:                                                  `/network/bridge/@name: virbr0 belongs to network "mine"`,
		`<network><name>mine</name><uuid>e7db3b93-009d-48d2-a242-09296d4a1c25</uuid><bridge name='virbr7'/></network>`: `/network/uuid: e7db3b93-009d-48d2-a242-09296d4a1c25 belongs to network "mine"`,
	} {
		n, err := network.Parse(strings.NewReader(text))
		require.NoError(t, err)
		require.NoError(t, nets.Define(ctx, n))
		before := m.String()
		_, err = nets.Adopt(ctx, theDefault())
		require.ErrorIs(t, err, fs.ErrExist, text)
		require.ErrorContains(t, err, want)
		require.Equal(t, before, m.String())
		require.NoError(t, nets.Undefine(ctx, n.Name))
	}
}

// TestAdoptedDaemonAppears has libvirt's daemon start in the midst of it: then the network stays libvirt's.
func TestAdoptedDaemonAppears(t *testing.T) {
	ctx, m := t.Context(), libvirtHost(t)
	before := m.String()
	nets := open(t, m, network.Memory())
	m.Fail = func(op host.Op) error {
		if _, ok := op.(host.Disown); ok {
			f, err := m.Facts(ctx, host.Scope{Libvirt: true})
			require.NoError(t, err)
			f.Libvirt.Daemon = 4711
			m.SetLibvirt(f.Libvirt)
		}
		return nil
	}
	_, err := nets.Adopt(ctx, theDefault())
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "/network/name: libvirt forgets network default: libvirt runs as process 4711: permission denied")
	require.Equal(t, strings.Replace(before, "libvirt network", "libvirt daemon is process 4711\nlibvirt network", 1), m.String())
}

func TestParseStatus(t *testing.T) {
	text, err := os.ReadFile("testdata/adopt/default.status")
	require.NoError(t, err)
	n, err := network.ParseStatus(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Equal(t, "default", n.Name)
	require.NoError(t, n.Validate())
	_, err = network.ParseStatus(strings.NewReader(strings.Replace(string(text), "delay='0'", "delay='soon'", 1)))
	var vs schema.Violations
	require.ErrorAs(t, err, &vs)
	line := 1 + strings.Count(string(text[:strings.Index(string(text), "<bridge name")]), "\n")
	require.Equal(t, line, vs[0].Line)
	for _, bad := range []string{"", "<network/>", "<networkstatus/>", "<networkstatus><a><network/></a></networkstatus>", "<networkstatus><network>"} {
		_, err := network.ParseStatus(strings.NewReader(bad))
		require.Error(t, err, bad)
	}
}
