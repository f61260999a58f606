// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A switchboard is a manager of networks with guests on them that send frames.
type switchboard struct {
	t    *testing.T
	b    *linux.Backend
	ns   *testenv.Namespace
	nets *network.Manager
}

func newSwitchboard(t *testing.T) *switchboard {
	b, ns := open(t)
	ns.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1") // nobody speaks unasked
	nets, err := network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	return &switchboard{t, b, ns, nets}
}

// needVLANFiltering ends a test on a kernel whose bridges cannot keep VLANs apart.
func (s *switchboard) needVLANFiltering() {
	s.t.Helper()
	f, err := s.b.Facts(s.t.Context(), host.Scope{VLANs: true})
	require.NoError(s.t, err)
	if !f.VLANFiltering {
		testenv.Lack(s.t, "the kernel has no VLAN filtering of bridges")
	}
}

func (s *switchboard) create(document string) error {
	s.t.Helper()
	n, err := network.Parse(strings.NewReader(document))
	require.NoError(s.t, err)
	err = s.nets.Create(s.t.Context(), n)
	if err == nil {
		s.t.Cleanup(func() { require.NoError(s.t, s.nets.Stop(context.Background(), n.Name)) })
	}
	return err
}

// guest attaches a guest and opens its side.
func (s *switchboard) guest(mac host.MAC, source string) (*domainiface.Port, *os.File, *inbox) {
	s.t.Helper()
	i, err := domainiface.Parse(strings.NewReader(fmt.Sprintf(`<interface %s<mac address='%s'/><model type='e1000'/></interface>`, source, mac)))
	require.NoError(s.t, err)
	port, err := domainiface.Attach(s.t.Context(), s.nets, domainiface.Guest{Name: "web"}, i)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, port.Detach(context.Background())) })
	files, err := port.Open(s.t.Context(), 1)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { files[0].Close() })
	return port, files[0], newInbox(files[0])
}

// promiscuous is whether a link takes every frame, whoever it is for.
func (s *switchboard) promiscuous(link string) bool {
	return !regexp.MustCompile(`promiscuity 0\b`).MatchString(s.ns.Output(s.t, "ip", "-d", "link", "show", "dev", link))
}

// TestMACTable wants of a bridge whose table is kept that nobody gets frames that are not for him, whatever others send,
// and that a card which leads to the world takes only those that are for somebody here.
func TestMACTable(t *testing.T) {
	t.Parallel()
	guestC := host.MAC{0x52, 0x54, 0, 0, 1, 5}
	for name, document := range map[string]string{
		"own bridge":         `<network><name>quiet</name><bridge name='br0' stp='off' macTableManager='libvirt'/></network>`,
		"bridge of the host": `<network><name>quiet</name><forward mode='bridge'/><bridge name='br0' macTableManager='libvirt'/></network>`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSwitchboard(t)
			hosts := strings.Contains(document, "forward")
			if hosts {
				s.ns.Output(t, "ip", "link", "add", "br0", "type", "bridge")
				s.ns.Output(t, "ip", "link", "set", "br0", "up")
			}
			before := s.ns.Snapshot(t)
			if err := s.create(document); errors.Is(err, errors.ErrUnsupported) {
				require.ErrorContains(t, err, "/network/bridge/@macTableManager: the kernel of the host has no VLAN filtering of bridges")
				s.ns.Unchanged(t, before, "after a network that was refused")
				s.needVLANFiltering()
			} else {
				require.NoError(t, err)
			}
			_, a, fromA := s.guest(guestA, `type='network'><source network='quiet'/>`)
			portB, _, toB := s.guest(guestB, `type='network'><source network='quiet'/>`)
			_, c, toC := s.guest(guestC, `type='network'><source network='quiet'/>`)
			l := &lan{t: t, b: s.b, host: s.ns, station: a}

			require.Equal(t, 1, l.passes(a, guestA, guestB, toB, toB, toC))
			require.Zero(t, l.passes(a, guestA, guestB, toC, toB, toC), "a frame for another")
			require.Equal(t, 1, l.passes(a, guestA, everybody, toC, toB, toC))
			unknown := host.MAC{0x52, 0x54, 0, 0, 9, 9}
			for _, to := range []*inbox{toB, toC} {
				require.Zero(t, l.passes(a, guestA, unknown, to, toB, toC), "a frame for nobody")
			}
			require.Zero(t, l.passes(c, guestB, unknown, toB, toB, toC), "sent with the address of another")
			require.Equal(t, 1, l.passes(a, guestA, guestB, toB, toB, toC), "after that")
			require.Zero(t, l.passes(a, guestA, guestB, toC, toB, toC), "for the one whose address was used")
			for _, frame := range fromA.take("") { // the kernel may say something of its own
				require.NotContains(t, []host.MAC{guestA, guestB, guestC}, host.MAC(frame[6:12]), "what guests have sent comes back")
			}

			f, err := s.b.Facts(t.Context(), host.Scope{Links: []string{portB.Link}})
			require.NoError(t, err)
			require.Equal(t, []host.Station{{Link: portB.Link, MAC: guestB}}, f.Stations)
			s.uplink(t)
		})
	}
}

// uplink plugs a device that leads to the world into the bridge. The kernel spares it what is for nobody here, as it is
// the only port of which it does not know who is behind it.
func (s *switchboard) uplink(t *testing.T) {
	t.Helper()
	s.ns.Output(t, "ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
	s.ns.Output(t, "ip", "link", "add", "link", "veth0", "name", "up0", "type", "vlan", "id", "5")
	s.ns.Output(t, "ip", "link", "set", "veth0", "up")
	s.ns.Output(t, "ip", "link", "set", "up0", "master", "br0", "up")
	require.False(t, s.promiscuous("up0"), "%s", s.ns.Output(t, "ip", "-d", "link", "show", "dev", "up0"))
	s.ns.Output(t, "ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "0")
	require.True(t, s.promiscuous("up0"), "the test sees nothing")
	s.ns.Output(t, "ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "1")
	s.ns.Output(t, "ip", "link", "del", "veth0")
}

// TestPortVLANs wants guests on a bridge of the host to reach who is in their VLAN and nobody else, with the tags that
// they were promised; and another VLAN while the guest runs.
func TestPortVLANs(t *testing.T) {
	t.Parallel()
	s := newSwitchboard(t)
	s.ns.Output(t, "ip", "link", "add", "br0", "type", "bridge")
	s.ns.Output(t, "ip", "link", "set", "br0", "up")
	const source = `type='bridge'><source bridge='br0'/>`
	i, err := domainiface.Parse(strings.NewReader(`<interface ` + source + `<vlan><tag id='10'/></vlan></interface>`))
	require.NoError(t, err)
	_, err = domainiface.Attach(t.Context(), s.nets, domainiface.Guest{Name: "web"}, i)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "/interface/vlan: bridge br0 does not keep VLANs apart")
	s.needVLANFiltering()

	s.ns.Output(t, "ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "1")
	_, a, _ := s.guest(guestA, source+`<vlan><tag id='10'/></vlan>`)
	_, _, sameVLAN := s.guest(guestB, source+`<vlan><tag id='10'/></vlan>`)
	other, _, otherVLAN := s.guest(host.MAC{0x52, 0x54, 0, 0, 1, 5}, source+`<vlan><tag id='20'/></vlan>`)
	_, _, noVLAN := s.guest(host.MAC{0x52, 0x54, 0, 0, 1, 6}, source)
	_, trunk, tagged := s.guest(host.MAC{0x52, 0x54, 0, 0, 1, 7}, source+`<vlan trunk='yes'><tag id='10'/><tag id='20' nativeMode='untagged'/></vlan>`)
	l := &lan{t: t, b: s.b, host: s.ns, station: a}

	require.Equal(t, 1, l.passes(a, guestA, everybody, sameVLAN, sameVLAN, tagged))
	require.Equal(t, 1, l.passes(a, guestA, everybody, tagged, sameVLAN, tagged))
	require.Zero(t, l.passes(a, guestA, everybody, otherVLAN, sameVLAN, tagged))
	require.Zero(t, l.passes(a, guestA, everybody, noVLAN, sameVLAN, tagged))
	last := tagged.held[len(tagged.held)-1:]
	for _, frame := range last {
		require.Equal(t, []byte{0x81, 0, 0, 10}, frame[12:16], "the tag of its VLAN")
	}
	// Without a tag the trunk is in its native VLAN.
	require.Zero(t, l.passes(trunk, guestB, everybody, sameVLAN, sameVLAN))
	trunkLAN := &lan{t: t, b: s.b, host: s.ns, station: trunk}
	require.Equal(t, 1, trunkLAN.passes(trunk, guestB, everybody, otherVLAN, otherVLAN))

	// Another VLAN while the guest runs.
	moved := other.Interface.Clone()
	moved.VLAN.Tags[0].ID = i.VLAN.Tags[0].ID
	require.NoError(t, other.Update(t.Context(), moved))
	require.Equal(t, 1, l.passes(a, guestA, everybody, otherVLAN, sameVLAN, otherVLAN))
	require.Zero(t, trunkLAN.passes(trunk, guestB, everybody, otherVLAN))
	checkWhole(t, s.nets)
}

// checkWhole wants nothing to have drifted.
func checkWhole(t *testing.T, nets *network.Manager) {
	t.Helper()
	drift, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, drift)
}
