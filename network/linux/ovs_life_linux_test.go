// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

func (w *ovsWorld) dump() string { w.t.Helper(); return ovsDump(w.t, w.sw) }

// ovsDump is all that a database has of ports, and what limits them.
func ovsDump(t *testing.T, sw *testenv.OpenVSwitch) string {
	t.Helper()
	var text strings.Builder
	for _, columns := range []string{
		"name,ports list Bridge", "name,tag,trunks,vlan_mode,external_ids list Port", "name,external_ids,ingress_policing_rate list Interface",
		"type,other_config list QoS", "other_config list Queue",
	} {
		text.WriteString(sw.Vsctl(t, append([]string{"--format=list"}, strings.Fields("--columns="+columns)...)...) + "\n")
	}
	return text.String()
}

// passes wants a frame of one guest to come to the other.
func (w *ovsWorld) passes(from, to *ovsGuest) {
	w.t.Helper()
	mark := newMark("pass")
	testenv.WaitFor(w.t, 20*time.Second, "a frame of another guest", func() bool {
		_, err := from.tap.Write(inVLAN(0, from.mac, mark))
		require.NoError(w.t, err)
		return to.count(mark) > 0
	})
}

var ovsPort = host.OVSPort{Link: "tap0", Bridge: "ovs0", Owner: "guest", MAC: guestA}

// TestWithoutOVS is a machine where no database listens.
func TestWithoutOVS(t *testing.T) {
	t.Parallel()
	b, _, sw := openWithOVS(t)
	do(t, b, host.AddTap{Link: "tap0", MAC: tapMAC})
	for _, op := range []host.Op{host.AddOVSPort(ovsPort), host.DelOVSPort(ovsPort), host.SetOVSPort{Port: ovsPort, Was: ovsPort}} {
		err := b.Do(t.Context(), op)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.NotErrorIs(t, err, fs.ErrNotExist, "a port that cannot be seen has not been taken back")
		require.ErrorContains(t, err, "no Open vSwitch answers at "+sw.Socket+" (no such file or directory)")
	}
	_, err := b.Counters(t.Context(), host.AddOVSPort(ovsPort))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	f, err := b.Facts(t.Context(), host.Scope{All: true, OVS: true})
	require.NoError(t, err)
	require.Equal(t, "no Open vSwitch answers at "+sw.Socket+" (no such file or directory)", f.OVS.Missing)
	require.Empty(t, f.OVSPorts)
}

// TestOVSIsSilent is a database that does not answer, which is an error only for who wants to know of its ports.
func TestOVSIsSilent(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		testenv.Skip(t, "waits ten seconds for an answer")
	}
	b, _, sw := openWithOVS(t)
	listener, err := net.Listen("unix", sw.Socket)
	require.NoError(t, err)
	defer listener.Close()
	f, err := b.Facts(t.Context(), host.Scope{All: true})
	require.NoError(t, err)
	require.NotNil(t, f.Link("lo"))
	_, err = b.Facts(t.Context(), host.Scope{OVSPorts: []string{"tap0"}})
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "Open vSwitch at "+sw.Socket)
}

// TestOVSLeavesNothing counts the rows that no port takes along when it goes.
func TestOVSLeavesNothing(t *testing.T) {
	w := newOVSWorld(t)
	before := w.dump()
	port, err := domainiface.Attach(t.Context(), w.nets, domainiface.Guest{Name: "web"},
		w.nic(`<vlan><tag id='10'/></vlan><bandwidth><inbound average='1000' peak='2000' burst='100'/></bandwidth>`))
	require.NoError(t, err)
	limited := func(rate string) {
		t.Helper()
		require.Contains(t, w.ns.Output(t, "tc", "class", "show", "dev", port.Link), rate)
		require.Len(t, strings.Fields(w.sw.Vsctl(t, "--columns=_uuid", "--bare", "list", "QoS")), 1)
		require.Len(t, strings.Fields(w.sw.Vsctl(t, "--columns=_uuid", "--bare", "list", "Queue")), 1)
		drift, err := w.nets.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, drift)
	}
	limited("rate 8Mbit ceil 16Mbit")
	require.NoError(t, port.SetBandwidth(t.Context(), &qos.Rate{Average: schema.Num(500)}, nil))
	limited("rate 4Mbit ceil 4Mbit")

	// What others say about the interface stays, through an update and a repair.
	w.sw.Vsctl(t, "set", "Interface", port.Link, "external_ids:ovn-installed=true")
	require.NoError(t, port.Update(t.Context(), w.nic(`<vlan><tag id='20'/></vlan><bandwidth><inbound average='250'/></bandwidth>`)))
	limited("rate 2Mbit ceil 2Mbit")
	require.Equal(t, "20", w.sw.Vsctl(t, "get", "Port", port.Link, "tag"))
	require.Equal(t, `"true"`, w.sw.Vsctl(t, "get", "Interface", port.Link, "external_ids:ovn-installed"))
	for _, breaks := range [][]string{
		{"del-port", port.Link},
		{"set", "Port", port.Link, "tag=30"},
		{"clear", "Port", port.Link, "qos"},
		{"set", "Interface", port.Link, "external_ids:iface-id=another"},
		{"set", "Interface", port.Link, "ingress_policing_rate=7"},
	} {
		w.sw.Vsctl(t, breaks...)
		drift, err := w.nets.Repair(t.Context(), network.RepairRequest{})
		require.NoError(t, err, breaks)
		require.Len(t, drift, 1, breaks)
		require.Contains(t, drift[0].Missing.String(), "ovs add-port ovs0 "+port.Link)
		limited("rate 2Mbit ceil 2Mbit")
	}
	// Somebody removes the port, and with it the last that names the rows.
	w.sw.Vsctl(t, "del-port", port.Link)
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, before, w.dump())
}

// TestOVSMoves moves a limited guest between bridges of both kinds, and sends through each.
func TestOVSMoves(t *testing.T) {
	t.Parallel()
	w := newOVSWorld(t)
	before := w.dump()
	do(t, w.b, host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.SetUp{Link: "br0"})
	const limits = `<bandwidth><inbound average='1000'/></bandwidth><model type='e1000'/>`
	document := func(bridge, more string) *domainiface.Interface {
		i, err := domainiface.Parse(strings.NewReader("<interface type='bridge'><source bridge='" + bridge + "'/>" + more + limits + "</interface>"))
		require.NoError(t, err)
		return i
	}
	const profile = `<virtualport type='openvswitch'/>`
	a, b := w.attach("a", limits[:strings.Index(limits, "<model")]), w.attach("b", "")
	w.passes(b, a)
	for _, to := range []struct{ bridge, more string }{{"ovs1", profile}, {"br0", ""}, {"ovs0", profile}} {
		for _, g := range []*ovsGuest{a, b} {
			require.NoError(t, g.port.Update(t.Context(), document(to.bridge, to.more)), to.bridge)
		}
		w.passes(a, b)
		w.passes(b, a)
		drift, err := w.nets.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, drift, to.bridge)
	}
	require.NoError(t, a.port.Update(t.Context(), document("br0", "")))
	require.NoError(t, b.port.Update(t.Context(), document("br0", "")))
	require.Equal(t, before, w.dump())
}

// TestOVSPolices has a guest send more than it may, on a kernel that can police.
func TestOVSPolices(t *testing.T) {
	t.Parallel()
	w := newOVSWorld(t)
	f, err := w.b.Facts(t.Context(), host.Scope{Shaping: true})
	require.NoError(t, err)
	const limit = `<bandwidth><outbound average='100' burst='100'/></bandwidth>`
	if !slices.Contains(f.Shaping.Means, host.Police) {
		before := w.dump()
		_, err := domainiface.Attach(t.Context(), w.nets, domainiface.Guest{Name: "web"}, w.nic(limit))
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "/interface/bandwidth/outbound: the kernel of the host cannot police")
		require.Equal(t, before, w.dump())
		return
	}
	a, b := w.attach("a", limit), w.attach("b", "")
	w.passes(a, b)
	require.Contains(t, w.ns.Output(t, "tc", "filter", "show", "dev", a.port.Link, "ingress"), "rate 800Kbit")
	const sent = 2000
	frame := slices.Concat(frameTo(everybody, a.mac, "")[:14], make([]byte, 1000), []byte("too much"))
	for range sent {
		_, err := a.tap.Write(frame)
		require.NoError(t, err)
	}
	w.passes(a, b)
	passed := b.count("too much")
	require.Less(t, passed, sent/2, "two megabytes where a tenth of one may pass at once")
	require.Positive(t, passed)
}

// TestOVSCounts reads what guests have sent and received.
func TestOVSCounts(t *testing.T) {
	t.Parallel()
	w := newOVSWorld(t)
	w.sw.Vsctl(t, "set", "Open_vSwitch", ".", "other_config:stats-update-interval=1") // instead of 5000 milliseconds
	a, b := w.attach("a", ""), w.attach("b", "")
	w.passes(a, b)
	testenv.WaitFor(t, 20*time.Second, "counters of both", func() bool {
		sent, err := a.port.Counters(t.Context())
		require.NoError(t, err)
		received, err := b.port.Counters(t.Context())
		require.NoError(t, err)
		return sent.Sent.Packets > 0 && sent.Sent.Bytes >= 60 && received.Received.Packets > 0 && received.Sent.Packets == 0
	})
}

// TestOVSRestarts kills each daemon and both: guests go on when they are back, and the library notices nothing else.
func TestOVSRestarts(t *testing.T) {
	t.Parallel()
	w := newOVSWorld(t)
	a, b := w.attach("a", `<vlan><tag id='10'/></vlan>`), w.attach("b", `<vlan><tag id='10'/></vlan>`)
	w.passes(a, b)
	whole := w.dump()

	w.sw.StopForwarder()
	drift, err := w.nets.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, drift)
	ctx := context.Background()
	_, err = domainiface.Attach(ctx, w.nets, domainiface.Guest{Name: "c"}, w.nic(""))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "ovs-vswitchd does not carry out what the database at "+w.sw.Socket+" says")
	require.Equal(t, whole, w.dump(), "it was taken back")
	w.sw.StartForwarder(t)
	w.passes(a, b)

	w.sw.StopDatabase()
	_, err = domainiface.Attach(ctx, w.nets, domainiface.Guest{Name: "c"}, w.nic(""))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "/interface/virtualport: no Open vSwitch answers at "+w.sw.Socket+" (connection refused)")
	err = a.port.Detach(ctx)
	require.ErrorContains(t, err, "no Open vSwitch answers at "+w.sw.Socket, "a port that may still be there is not forgotten")
	w.sw.StartDatabase(t)
	c := w.attach("c", `<vlan><tag id='10'/></vlan>`)
	w.passes(b, c)
	w.passes(c, b)
	drift, err = w.nets.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, drift)
}

// TestOVSHeals removes a port while somebody watches, and starts the database again in between.
func TestOVSHeals(t *testing.T) {
	t.Parallel()
	w := newOVSWorld(t)
	a, b := w.attach("a", ""), w.attach("b", "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	repaired := 0
	for e, err := range w.nets.Heal(ctx, network.Healing{Every: time.Second}) {
		if err != nil {
			require.ErrorContains(t, err, "Open vSwitch", "only while the database is away")
			continue
		}
		switch {
		case e.Kind == network.EventRepaired && repaired == 0:
			repaired++
			w.sw.StopDatabase()
			w.sw.StartDatabase(t)
			w.sw.Vsctl(t, "del-port", a.port.Link)
		case e.Kind == network.EventRepaired:
			repaired++
		case repaired == 0 && e.Kind != network.EventDriftFound:
			w.sw.Vsctl(t, "--if-exists", "del-port", a.port.Link)
		}
		if repaired == 2 {
			break
		}
	}
	require.Equal(t, 2, repaired)
	w.passes(a, b)
}

// TestOVSRefuses asks for what the switch cannot do.
func TestOVSRefuses(t *testing.T) {
	w := newOVSWorld(t)
	before := w.dump()
	do(t, w.b, host.AddTap{Link: "tap0", MAC: tapMAC}, host.AddBridge{Link: "br0", MAC: bridgeMAC})
	w.sw.Vsctl(t, "add-port", "ovs1", "gone0")
	err := w.b.Do(t.Context(), host.AddOVSPort{Link: "gone0", Bridge: "ovs0", Owner: "guest", MAC: guestA})
	require.ErrorIs(t, err, fs.ErrNotExist, "there is a port of that name, and no link")
	w.sw.Vsctl(t, "del-port", "gone0")
	for bridge, want := range map[string]string{"br0": "has no bridge br0", "ovs9": "has no bridge ovs9"} {
		o := host.AddOVSPort(ovsPort)
		o.Bridge = bridge
		err := w.b.Do(t.Context(), o)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, want)
	}
	// A name that ovs-vswitchd keeps for itself.
	o := host.AddOVSPort(ovsPort)
	o.Link = "vxlan_sys_7"
	do(t, w.b, host.AddTap{Link: o.Link, MAC: tapMAC})
	err = w.b.Do(t.Context(), o)
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.Equal(t, before, w.dump())
}
