// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// libvirtStation is one on which libvirt runs a network, with one guest.
func libvirtStation(t *testing.T, daemon int) (station, *hosttest.Machine) {
	t.Helper()
	s, m := inMemory(t)
	mac := host.MAC{0x52, 0x54, 0, 0x33, 0x41, 0x53}
	for _, op := range []host.Op{
		host.AddBridge{Link: "virbr0", MAC: mac, STP: true, ForwardDelay: 200}, host.SetUp{Link: "virbr0"},
		host.AddAddr{Link: "virbr0", Prefix: netip.MustParsePrefix("192.168.122.1/24")},
		host.AddTap{Link: "vnet0", MAC: host.MAC{0xfe, 0x54, 0, 0x11, 0x22, 0x33}}, host.Plug{Link: "vnet0", Bridge: "virbr0"}, host.SetUp{Link: "vnet0"},
		host.AddTap{Link: "vnet1", MAC: host.MAC{0xfe, 0x54, 0, 0x11, 0x22, 0x44}}, host.Plug{Link: "vnet1", Bridge: "virbr0"},
	} {
		require.NoError(t, m.Do(t.Context(), op))
	}
	const network = "<network><name>default</name><uuid>e7db3b93-009d-48d2-a242-09296d4a1c25</uuid><forward mode='nat'/><bridge name='virbr0'/>" +
		"<mac address='52:54:00:33:41:53'/><ip address='192.168.122.1' prefix='24'/></network>"
	const port = "<networkport><uuid>e7db3b93-009d-48d2-a242-09296d4a1c01</uuid><owner><name>web</name><uuid>e7db3b93-009d-48d2-a242-09296d4a1c00</uuid></owner>" +
		"<mac address='52:54:00:11:22:33'/></networkport>"
	m.SetLibvirt(host.Libvirt{Daemon: daemon, Networks: []host.LibvirtNetwork{{
		Name: "default", Status: "<networkstatus>" + network + "</networkstatus>", Definition: network, Autostart: true,
		Ports: []host.LibvirtPort{{ID: "e7db3b93-009d-48d2-a242-09296d4a1c01", Text: port}},
	}}})
	return s, m
}

func TestAdopt(t *testing.T) {
	s, m := libvirtStation(t, 4711)
	before := m.String()
	out, errs, status := s.at(t, "adopt", "--dry-run", "default")
	require.Zero(t, status, errs)
	require.Contains(t, out, "libvirt forgets network default")
	require.Contains(t, out, "port e7db3b93-009d-48d2-a242-09296d4a1c01: guest web on vnet0\nno port, and stays plugged in: vnet1\n"+
		"libvirt runs as process 4711, and has to be stopped before; guests go on\n")
	_, errs, status = s.at(t, "adopt", "default")
	require.Equal(t, 1, status)
	require.Contains(t, errs, `network "default" is run by libvirt, process 4711`)
	require.Equal(t, before, m.String())

	s, _ = libvirtStation(t, 0)
	out, errs, status = s.at(t, "adopt", "--json", "default")
	require.Zero(t, status, errs)
	require.Contains(t, out, `"guest": "web"`)
	out, errs, status = s.at(t, "list")
	require.Zero(t, status, errs)
	require.Regexp(t, `default +active`, out)
	_, errs, status = s.at(t, "adopt", "nothing")
	require.Equal(t, 1, status)
	require.Equal(t, "virtnet: libvirt runs no network \"nothing\"\n", errs)
}
