// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// hostBridge is a bridge of the host, and networks on it.
func hostBridge(t *testing.T, filtering bool, documents ...string) (*hosttest.Machine, *network.Manager) {
	t.Helper()
	m := hosttest.New("eth0")
	require.NoError(t, m.Do(t.Context(), host.AddBridge{Link: "br0", MAC: host.MAC{2}, VLANFiltering: filtering}))
	nets, err := network.Open(t.Context(), m, network.Memory())
	require.NoError(t, err)
	for _, document := range documents {
		n, err := network.Parse(strings.NewReader(document))
		require.NoError(t, err)
		require.NoError(t, nets.Create(t.Context(), n))
	}
	return m, nets
}

// TestPortsOfBridges plugs guests into bridges that keep VLANs apart, and into one whose table is kept.
func TestPortsOfBridges(t *testing.T) {
	const (
		red   = `<network><name>red</name><forward mode='bridge'/><bridge name='br0'/><vlan><tag id='9'/></vlan></network>`
		quiet = `<network><name>quiet</name><forward mode='bridge'/><bridge name='br0' macTableManager='libvirt'/></network>`
	)
	for name, c := range map[string]struct{ text, want string }{
		"access":  {`type='bridge'><source bridge='br0'/><vlan><tag id='42'/></vlan>`, "vlan vid 42 pvid untagged"},
		"trunk":   {`type='bridge'><source bridge='br0'/><vlan><tag id='7'/><tag id='5'/><tag id='6'/></vlan>`, "vlan vid 5-7"},
		"one tag": {`type='bridge'><source bridge='br0'/><vlan trunk='yes'><tag id='4094'/></vlan>`, "vlan vid 4094"},
		"native": {`type='bridge'><source bridge='br0'/><vlan><tag id='7'/><tag id='5' nativeMode='untagged'/></vlan>`,
			"vlan vid 5 pvid untagged vid 7"},
		"native with a tag":        {`type='bridge'><source bridge='br0'/><vlan><tag id='7'/><tag id='5' nativeMode='tagged'/></vlan>`, "vlan vid 5 pvid vid 7"},
		"that of the network":      {`type='network'><source network='red'/>`, "vlan vid 9 pvid untagged"},
		"instead of the network's": {`type='network'><source network='red'/><vlan><tag id='3'/></vlan>`, "vlan vid 3 pvid untagged"},
		"a table that is kept":     {`type='network'><source network='quiet'/>`, "learning off flood off station 52:54:00:00:00:01"},
		"a table and a VLAN": {`type='network'><source network='quiet'/><vlan><tag id='3'/></vlan>`,
			"learning off flood off vlan vid 3 pvid untagged station 52:54:00:00:00:01"},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets := hostBridge(t, true, red, quiet)
			before := m.String()
			port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, `<interface `+c.text+`<mac address='52:54:00:00:00:01'/></interface>`))
			require.NoError(t, err)
			require.Equal(t, "link set vnet0 master br0 "+c.want, port.Built[2].Op.String())
			drift, err := nets.Check(t.Context())
			require.NoError(t, err)
			require.Empty(t, drift)
			require.NoError(t, port.Detach(t.Context()))
			require.Equal(t, before, m.String())
		})
	}
	m, nets := hostBridge(t, false, red)
	before := m.String()
	_, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, `<interface type='network'><source network='red'/></interface>`))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "/interface/vlan: bridge br0 does not keep VLANs apart (ip link set br0 type bridge vlan_filtering 1)")
	require.Equal(t, before, m.String())
}

// TestStationComesBack takes from a port behind the manager's back what it was given, which is drift and mended.
func TestStationComesBack(t *testing.T) {
	const quiet = `<network><name>quiet</name><bridge name='lan0' macTableManager='libvirt'/></network>`
	m, nets := hostBridge(t, true, quiet)
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, `<interface type='network'><source network='quiet'/></interface>`))
	require.NoError(t, err)
	before := m.String()
	is := port.Built[2].Op.(host.Plug)
	changed := is
	changed.Station, changed.VLANs = host.MAC{2, 2}, host.NewVLANs(7, false)
	require.NoError(t, m.Do(t.Context(), host.SetPlug{Plug: changed, Was: is}))
	drift, err := nets.Repair(t.Context(), network.RepairRequest{})
	require.NoError(t, err)
	require.Len(t, drift, 1)
	require.Equal(t, before, m.String())
}
