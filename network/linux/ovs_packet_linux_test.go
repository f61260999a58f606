// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
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
	"github.com/go-virtnet/virtnet/network/linux"
)

// An ovsWorld is a host with two bridges of Open vSwitch, ovs0 and ovs1, and guests behind taps.
type ovsWorld struct {
	t      *testing.T
	b      *linux.Backend
	ns     *testenv.Namespace
	sw     *testenv.OpenVSwitch
	nets   *network.Manager
	guests map[string]*ovsGuest
}

// An ovsGuest is a guest that sends and receives frames as they are.
type ovsGuest struct {
	*inbox
	port *domainiface.Port
	tap  *os.File
	mac  host.MAC
}

func newOVSWorld(t *testing.T) *ovsWorld {
	w := &ovsWorld{t: t, guests: map[string]*ovsGuest{}}
	w.b, w.ns, w.sw = openWithOVS(t)
	w.ns.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1")
	w.sw.Start(t)
	w.sw.AddBridges(t, "ovs0", "ovs1")
	t.Logf("datapath %s", w.sw.Datapath)
	var err error
	w.nets, err = network.Open(t.Context(), w.b, network.Memory())
	require.NoError(t, err)
	return w
}

// nic is the document of an interface on ovs0 with these elements besides.
func (w *ovsWorld) nic(more string) *domainiface.Interface {
	w.t.Helper()
	i, err := domainiface.Parse(strings.NewReader(
		`<interface type='bridge'><source bridge='ovs0'/><virtualport type='openvswitch'/><model type='e1000'/>` + more + `</interface>`))
	require.NoError(w.t, err)
	return i
}

// attach puts a guest on ovs0.
func (w *ovsWorld) attach(name, more string) *ovsGuest {
	w.t.Helper()
	port, err := domainiface.Attach(w.t.Context(), w.nets, domainiface.Guest{Name: name}, w.nic(more))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, port.Detach(context.Background())) })
	files, err := port.Open(w.t.Context(), 1)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { files[0].Close() })
	g := &ovsGuest{inbox: newInbox(files[0]), port: port, tap: files[0], mac: host.MAC(port.MAC)}
	w.guests[name] = g
	return g
}

// inVLAN is a frame for everybody with the tag of a VLAN; 0 is none.
func inVLAN(vlan uint16, source host.MAC, payload string) []byte {
	frame := frameTo(everybody, source, payload)
	if vlan == 0 {
		return frame
	}
	tag := binary.BigEndian.AppendUint16([]byte{0x81, 0}, vlan)
	return slices.Concat(frame[:12], tag, frame[12:])
}

// vlanOf is the VLAN of a frame's tag, 0 if it has none.
func vlanOf(frame []byte) uint16 {
	if frame[12] != 0x81 || frame[13] != 0 {
		return 0
	}
	return binary.BigEndian.Uint16(frame[14:]) & 0xfff
}

// gets sends a frame with that tag from one guest, and tells who gets it, with which tag. It comes to those who want it, and
// then so do marks in every VLAN: by then it has come to others as well, if it does.
func (w *ovsWorld) gets(from string, tag uint16, want map[string]uint16) map[string]uint16 {
	w.t.Helper()
	text := newMark("test")
	got := map[string]uint16{}
	look := func() {
		for name, g := range w.guests {
			for _, frame := range g.take(text) {
				got[name] = vlanOf(frame)
			}
		}
	}
	send := func(g *ovsGuest, vlan uint16, payload string) {
		_, err := g.tap.Write(inVLAN(vlan, g.mac, payload))
		require.NoError(w.t, err)
	}
	testenv.WaitFor(w.t, 10*time.Second, fmt.Sprintf("a frame of %s with tag %d comes to all who want it", from, tag), func() bool {
		send(w.guests[from], tag, text)
		look()
		return len(got) >= len(want)
	})
	for range 3 {
		w.mark(send)
	}
	look()
	return got
}

// mark sends from the guest in all VLANs until everybody has got it.
func (w *ovsWorld) mark(send func(g *ovsGuest, vlan uint16, payload string)) {
	w.t.Helper()
	mark := newMark("mark")
	waiting := maps.Clone(w.guests)
	delete(waiting, "all")
	testenv.WaitFor(w.t, 10*time.Second, "what the guest in all VLANs sends", func() bool {
		for _, vlan := range []uint16{10, 20} {
			send(w.guests["all"], vlan, mark)
		}
		maps.DeleteFunc(waiting, func(_ string, g *ovsGuest) bool { return g.count(mark) > 0 })
		return len(waiting) == 0
	})
}

// TestOVSVLANs is the matrix of what guests in different VLANs get of each other.
func TestOVSVLANs(t *testing.T) {
	t.Parallel()
	w := newOVSWorld(t)
	for name, vlan := range map[string]string{
		"access10": `<vlan><tag id='10'/></vlan>`,
		"other10":  `<vlan><tag id='10'/></vlan>`,
		"access20": `<vlan><tag id='20'/></vlan>`,
		"trunk":    `<vlan trunk='yes'><tag id='10'/><tag id='20'/></vlan>`,
		"untagged": `<vlan trunk='yes'><tag id='10' nativeMode='untagged'/><tag id='20'/></vlan>`,
		"tagged":   `<vlan trunk='yes'><tag id='10' nativeMode='tagged'/><tag id='20'/></vlan>`,
		"all":      ``,
	} {
		w.attach(name, vlan)
	}
	in10 := map[string]uint16{"access10": 0, "other10": 0, "trunk": 10, "untagged": 0, "tagged": 10, "all": 10}
	in20 := map[string]uint16{"access20": 0, "trunk": 20, "untagged": 20, "tagged": 20, "all": 20}
	nobody := map[string]uint16{}
	for _, c := range []struct {
		from string
		tag  uint16
		want map[string]uint16
	}{
		{"access10", 0, in10}, {"access10", 10, nobody}, {"access10", 20, nobody}, {"access20", 0, in20},
		{"trunk", 0, nobody}, {"trunk", 10, in10}, {"trunk", 20, in20}, {"trunk", 30, nobody},
		{"untagged", 0, in10}, {"untagged", 20, in20}, {"untagged", 30, nobody},
		{"tagged", 0, in10}, {"tagged", 10, in10}, {"tagged", 20, in20},
		{"all", 10, in10}, {"all", 20, in20}, {"all", 0, nobody}, {"all", 30, nobody},
	} {
		want := maps.Clone(c.want)
		delete(want, c.from)
		require.Equal(t, want, w.gets(c.from, c.tag, want), "a frame of %s with tag %d", c.from, c.tag)
	}
}
