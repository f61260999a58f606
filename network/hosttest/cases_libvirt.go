// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// The network that libvirt runs on br0, and another one that is to be left alone.
var (
	lab = host.LibvirtNetwork{
		Name: "lab", Status: "<networkstatus><network><name>lab</name></network></networkstatus>\n", Definition: "<network><name>lab</name></network>\n",
		Autostart: true, Ports: []host.LibvirtPort{{ID: "8f1c", Text: "<networkport/>\n"}, {ID: "9", Text: "<networkport />\n"}},
	}
	lane     = host.LibvirtNetwork{Name: "lane", Definition: "<network><name>lane</name></network>\n"}
	labLease = host.Lease{
		Addr: netip.MustParseAddr("192.168.7.123"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 9}, Hostname: "nine", ClientID: "01:52:54:00:00:00:09",
	}
	labServer = host.LibvirtServer{Network: "lab", Link: "br0", Command: []string{"dnsmasq"}}
)

// libvirtRules are those of lab and then those of lane, in the tables of both kinds.
func libvirtRules() []host.LibvirtRule {
	seven, eight := []netip.Prefix{gateway4.Prefix.Masked()}, []netip.Prefix{netip.MustParsePrefix("192.168.8.0/24")}
	return []host.LibvirtRule{
		{Family: "ip", Table: "filter", Chain: "LIBVIRT_FWX", Text: `iifname "br0" oifname "br0" counter accept`, Links: []string{"br0"}},
		{Family: "ip", Table: "filter", Chain: "LIBVIRT_FWX", Text: `iifname "br1" oifname "br1" counter accept`, Links: []string{"br1"}},
		{Family: "ip", Table: "libvirt_network", Chain: "guest_nat", Text: `ip saddr 192.168.7.0/24 ip daddr != 192.168.7.0/24 counter masquerade`, Subnets: seven},
		{Family: "ip", Table: "libvirt_network", Chain: "guest_nat", Text: `ip saddr 192.168.8.0/24 ip daddr != 192.168.8.0/24 counter masquerade`, Subnets: eight},
		{Family: "ip6", Table: "libvirt_network", Chain: "guest_input", Text: `oifname "br0" counter reject`, Links: []string{"br0"}},
	}
}

// runLibvirt puts the networks on the machine, or skips the test.
func (s Suite) runLibvirt(t *testing.T) host.LibvirtServer {
	t.Helper()
	if s.Libvirt == nil {
		t.Skip("the caller has no libvirt")
	}
	return s.Libvirt(t, host.Libvirt{Networks: []host.LibvirtNetwork{lab, lane}, Rules: libvirtRules()}, []host.Lease{labLease})
}

// from is the case for a server of libvirt that runs.
func (c opCase) from(server host.LibvirtServer) opCase {
	if take, ok := c.op.(host.TakeServer); ok {
		take.Was = server
		c.op = take
		c.changes = strings.ReplaceAll(c.changes, "COMMAND", strings.Join(server.Command, " "))
	}
	return c
}

func libvirtCases() []opCase {
	take := host.TakeServer{Server: serve.Server, Was: labServer}
	office := host.Own{Network: lab}
	office.Network.Name = "office"
	rules := libvirtRules()
	mark := host.SetOwner{Link: "br1", MAC: br1.MAC, Owner: "virtnet 2"}
	return []opCase{{
		name: "SetOwner", before: []host.Op{br1}, op: mark, repeatable: true,
		changes: "-link br1 type bridge mac 52:54:00:00:00:02 mtu 1500 stp off delay 0\n" +
			"+link br1 type bridge mac 52:54:00:00:00:02 mtu 1500 stp off delay 0 owner \"virtnet 2\"\n",
		bad: []host.Op{
			with(mark, func(o *host.SetOwner) { o.MAC = host.MAC{} }),
			with(mark, func(o *host.SetOwner) { o.Owner = "two\nlines" }),
		},
		dangling: []host.Op{
			with(mark, func(o *host.SetOwner) { o.Link = "br9" }),
			with(mark, func(o *host.SetOwner) { o.MAC = br0.MAC }),
		},
		foreign: [][]host.Op{{with(br1, func(o *host.AddBridge) { o.MAC = br0.MAC })}},
	}, {
		name: "TakeServer", before: []host.Op{br0, gateway4, up("br0")}, op: take, libvirt: true,
		changes: "-libvirt server of lab on br0: COMMAND\n" +
			"+server n1 on br0 dhcp 192.168.7.1/24 192.168.7.100-192.168.7.199 dns domain \"lab.example\"\n",
		bad: []host.Op{
			with(take, func(o *host.TakeServer) { o.Was.Link = "br1" }),
			with(take, func(o *host.TakeServer) { o.Was.Network = "../lab" }),
			with(take, func(o *host.TakeServer) { o.Was.Command = []string{"a\x00b"} }),
			with(take, func(o *host.TakeServer) { o.Server.Name = "N 1" }),
		},
		dangling: []host.Op{
			with(take, func(o *host.TakeServer) { o.Was.Network = "office" }),
			with(take, func(o *host.TakeServer) { o.Was.Command = []string{"dnsmasq", "--another"} }),
			with(take, func(o *host.TakeServer) { o.Was.Command = nil }),
		},
	}, {
		name: "Own", op: office, libvirt: true,
		changes: "+libvirt network office runs defined autostart ports 2\n",
		bad: []host.Op{
			with(office, func(o *host.Own) { o.Network.Name = "" }),
			with(office, func(o *host.Own) { o.Network.Name = "a/b" }),
			with(office, func(o *host.Own) { o.Network.Status = "" }),
			with(office, func(o *host.Own) { o.Network.Definition = "" }),
			with(office, func(o *host.Own) { o.Network.Ports = []host.LibvirtPort{{ID: ".."}} }),
		},
	}, {
		name: "DropRules", op: host.DropRules{Link: "br0", Subnets: []netip.Prefix{gateway4.Prefix.Masked()}}, libvirt: true, repeatable: true,
		changes: lines("-", host.Libvirt{Rules: slices.DeleteFunc(rules, func(r host.LibvirtRule) bool { return !r.About("br0", []netip.Prefix{gateway4.Prefix.Masked()}) })}.String()),
		bad: []host.Op{
			host.DropRules{},
			host.DropRules{Link: "br0", Subnets: []netip.Prefix{gateway4.Prefix}},
		},
	}}
}

// testLibvirt tests what the operations on libvirt's networks do besides.
func (s Suite) testLibvirt(t *testing.T) {
	open := func(t *testing.T, daemon int) (*bench, host.TakeServer) {
		take := host.TakeServer{Server: serve.Server}
		x := s.open(t, br0, gateway4, up("br0"), take)
		if s.Libvirt == nil {
			t.Skip("the caller has no libvirt")
		}
		x.do(br0, gateway4, up("br0"))
		l := host.Libvirt{Daemon: daemon, Networks: []host.LibvirtNetwork{lab, lane}, Rules: libvirtRules()}
		take.Was = s.Libvirt(t, l, []host.Lease{labLease})
		return x, take
	}
	t.Run("facts", func(t *testing.T) {
		x, take := open(t, 0)
		f := x.look(host.Scope{Libvirt: true})
		want := &host.Facts{Instance: f.Instance, Libvirt: host.Libvirt{
			Networks: []host.LibvirtNetwork{lab, lane}, Servers: []host.LibvirtServer{take.Was}, Rules: libvirtRules(),
		}}
		x.equal("of libvirt", f, want)
		if all := x.look(host.Scope{All: true}).Libvirt.String(); all != "" {
			t.Errorf("all facts have what was not asked for:\n%s", all)
		}
	})
	t.Run("daemon", func(t *testing.T) {
		x, take := open(t, 4711)
		if x.look(host.Scope{Libvirt: true}).Libvirt.Daemon == 0 {
			t.Error("the daemon is not seen")
		}
		x.refuses(take, fs.ErrPermission)
		x.refuses(host.Disown{Network: lab}, fs.ErrPermission)
	})
	t.Run("leases", func(t *testing.T) {
		x, take := open(t, 0)
		reader, ok := x.backend.(host.LeaseReader)
		if !ok {
			t.Skip("the backend is no LeaseReader")
		}
		for range 2 { // the second time they come back from where the first time has put them
			x.do(take)
			leases, err := reader.Leases(t.Context(), take.Server.Name)
			if err != nil || len(leases) != 1 || leases[0] != labLease {
				t.Errorf("the server has the leases %v, want %v (%v)", leases, labLease, err)
			}
			x.do(take.Inverse())
		}
	})
	t.Run("half", func(t *testing.T) {
		x, take := open(t, 0)
		before := x.facts()
		x.do(take, host.Unserve{Server: take.Server}) // as if the program had been killed in the midst of it
		x.do(take.Inverse())
		x.same("after it was taken back", before)
	})
	t.Run("owner", func(t *testing.T) {
		x := s.open(t, br0, host.SetOwner{})
		x.do(br0)
		x.refuses(host.SetOwner{Link: "br0", MAC: br0.MAC, Owner: "mine"}, fs.ErrExist)
	})
	t.Run("changed", func(t *testing.T) {
		x, _ := open(t, 0)
		changed := host.Disown{Network: lab}
		changed.Network.Definition = "<network/>"
		x.refuses(changed, fs.ErrNotExist)
		x.refuses(host.Own{Network: lab}, fs.ErrExist)
	})
}
