// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// The functions of the card of onFunctions.
var (
	first  = host.PCI{Domain: 1, Bus: 1}
	second = host.PCI{Domain: 1, Bus: 1, Function: 1}
	third  = host.PCI{Domain: 1, Bus: 1, Function: 2}
)

const (
	managedPool   = `<network><name>whole</name><forward mode='hostdev' managed='yes'><pf dev='eth8'/></forward></network>`
	functionsPool = `<network><name>alone</name><forward mode='passthrough'><pf dev='eth8'/></forward></network>`
)

// onFunctions opens a manager on a machine with a card that has three functions; the second is with vfio-pci.
func onFunctions(t *testing.T, networks ...string) (*hosttest.Machine, *network.Manager, network.Store) {
	t.Helper()
	m := hosttest.New("eth0")
	require.NoError(t, m.AddPF("eth8", 3))
	require.NoError(t, m.Bind(second, "vfio-pci"))
	store := network.Memory()
	nets, err := network.Open(t.Context(), m, store)
	require.NoError(t, err)
	for _, text := range networks {
		n, err := network.Parse(strings.NewReader(text))
		require.NoError(t, err)
		require.NoError(t, nets.Create(t.Context(), n))
	}
	return m, nets, store
}

// function is a device of type hostdev with further content.
func function(place host.PCI, attrs, content string) string {
	a := hostdev.NewAddress(hostdev.Key(place))
	return `<interface type='hostdev'` + attrs + `><mac address='52:54:00:00:00:01'/><source><address type='pci' domain='` + a.Domain.String() +
		`' bus='` + a.Bus.String() + `' slot='` + a.Slot.String() + `' function='` + a.Function.String() + `'/></source>` + content + `</interface>`
}

const (
	bound  = "driver of 0001:01:00.0 is vfio-pci (was igbvf with link eth8v0 address 02:01:00:00:00:01 mtu 1500)"
	whole1 = `<interface type='network'><mac address='52:54:00:00:00:01'/><source network='whole'/></interface>`
)

func TestAttachFunction(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		want  []string
		place host.PCI
		group string
	}{
		"managed": {
			function(first, " managed='yes'", ""),
			[]string{bound, "link set eth8 vf 0 mac 52:54:00:00:00:01 (was mac 00:00:00:00:00:00)"},
			first, "1",
		},
		"with a driver, in a VLAN, trusted": {
			function(first, " managed='yes' trustGuestRxFilters='yes'", "<driver name='vfio' model='mlx5_vfio_pci'/><vlan><tag id='42'/></vlan>"),
			[]string{
				"driver of 0001:01:00.0 is mlx5_vfio_pci (was igbvf with link eth8v0 address 02:01:00:00:00:01 mtu 1500)",
				"link set eth8 vf 0 mac 52:54:00:00:00:01 vlan 42 trust on (was mac 00:00:00:00:00:00 vlan 0 trust off)",
			}, first, "1",
		},
		"that has its driver already": {
			function(second, " managed='yes'", ""), []string{"link set eth8 vf 1 mac 52:54:00:00:00:01 (was mac 00:00:00:00:00:00)"}, second, "2",
		},
		"not managed": {
			function(second, "", ""), []string{"link set eth8 vf 1 mac 52:54:00:00:00:01 (was mac 00:00:00:00:00:00)"}, second, "2",
		},
		"with another driver of the kind": {
			function(second, " managed='yes'", "<driver model='mlx5_vfio_pci'/>"),
			[]string{"driver of 0001:01:00.1 is mlx5_vfio_pci (was vfio-pci)", "link set eth8 vf 1 mac 52:54:00:00:00:01 (was mac 00:00:00:00:00:00)"},
			second, "2",
		},
		"of a network": {
			whole1, []string{bound, "link set eth8 vf 0 mac 52:54:00:00:00:01 (was mac 00:00:00:00:00:00)"}, first, "1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, store := onFunctions(t, managedPool)
			before := m.String()
			port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, lines(port.Built))
			require.Empty(t, port.Link)
			live, err := port.Live().Format()
			require.NoError(t, err)
			require.NotContains(t, string(live), "<target")

			nets, err = network.Open(t.Context(), m, store)
			require.NoError(t, err)
			again, err := domainiface.Lookup(t.Context(), nets, port.Network, port.ID)
			require.NoError(t, err)
			require.Equal(t, port.Built, again.Built)
			_, err = again.Open(t.Context(), 1)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			device, err := again.Passthrough(t.Context())
			require.NoError(t, err)
			require.Equal(t, &domainiface.Passthrough{
				PCI: hostdev.Key(c.place), Group: "/dev/vfio/" + c.group, Device: "/dev/vfio/devices/vfio" + c.group,
			}, device)
			drifts, err := nets.Check(t.Context())
			require.NoError(t, err)
			require.Empty(t, drifts)
			require.NoError(t, again.Detach(t.Context()))
			require.Equal(t, before, m.String())
		})
	}
}

const qbh = "<virtualport type='802.1Qbh'><parameters profileid='web'/></virtualport>"

// TestFunctionProfile asks the port extender through the card for the profile of a guest that has a function whole; it decides
// about address and VLAN. All of it goes back when the guest goes.
func TestFunctionProfile(t *testing.T) {
	const pool = `<network><name>whole</name><forward mode='hostdev' managed='yes'><pf dev='eth8'/></forward>` + qbh + `</network>`
	id, err := schema.ParseUUID("c7a5fdbd-edaf-9455-926a-d65c16db1809")
	require.NoError(t, err)
	guest := domainiface.Guest{Name: "web", UUID: id}
	const add = `port profile add dev eth8 vf 0 profile "web" guest c7a5fdbd-edaf-9455-926a-d65c16db1809 mac 52:54:00:00:00:01`
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"by itself":    {function(first, " managed='yes'", qbh), []string{bound, add}},
		"of a network": {whole1, []string{bound, add}},
		"trusted":      {function(first, " managed='yes' trustGuestRxFilters='yes'", qbh), []string{bound, "link set eth8 vf 0 trust on (was trust off)", add}},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, store := onFunctions(t, pool)
			before := m.String()
			require.Equal(t, len(c.want), atomic(t, m, nets, guest, c.text))
			port, err := domainiface.Attach(t.Context(), nets, guest, nic(t, c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, lines(port.Built))
			profiles := func() []host.Profile {
				f, err := m.Facts(t.Context(), host.Scope{Profiles: []string{"eth8"}})
				require.NoError(t, err)
				return f.Profiles
			}
			has := profiles()
			require.Len(t, has, 1)
			// A switch that has forgotten it is asked again.
			require.NoError(t, m.Do(t.Context(), port.Built[len(port.Built)-1].Op.Inverse()))
			_, err = nets.Repair(t.Context(), network.RepairRequest{})
			require.NoError(t, err)
			require.Equal(t, has, profiles())
			nets, err = network.Open(t.Context(), m, store)
			require.NoError(t, err)
			require.NoError(t, nets.DeletePort(t.Context(), port.Network, port.ID))
			require.Empty(t, profiles())
			require.Equal(t, before, m.String())
		})
	}
	m, nets, _ := onFunctions(t)
	before := m.String()
	for text, want := range map[string]string{
		function(first, " managed='yes'", qbh+"<vlan><tag id='42'/></vlan>"): "/interface/vlan: the profile in <virtualport> decides about VLANs",
		function(first, " managed='yes'", `<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>`): "/interface/virtualport",
	} {
		_, err := domainiface.Attach(t.Context(), nets, guest, nic(t, text))
		require.ErrorContains(t, err, want)
		require.Equal(t, before, m.String())
	}
}

// TestFunctionExact puts back what an administrator has set, all of it and nothing else.
func TestFunctionExact(t *testing.T) {
	m, nets, _ := onFunctions(t)
	set := func(vf, was host.VF) {
		t.Helper()
		require.NoError(t, m.Do(t.Context(), host.SetFunction{PCI: third, Generation: 1, PF: "eth8", Index: 2, VF: vf, Was: was}))
	}
	fixed := host.VF{MAC: host.MAC{2, 7}, VLAN: 7, QoS: 3, Proto: host.ServiceTag, State: host.StateUp, MinRate: 1, MaxRate: 9}
	set(fixed, host.VF{MAC: host.MAC{2}})
	require.NoError(t, m.Bind(third, "vfio-pci"))
	require.NoError(t, m.Bind(third, hosttest.FunctionDriver)) // so that it takes the address
	for _, op := range []host.Op{host.SetMTU{Link: "eth8v2", MTU: 1400, Was: 1500}, host.SetUp{Link: "eth8v2"}} {
		require.NoError(t, m.Do(t.Context(), op))
	}
	before := m.String()
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, function(third, " managed='yes'", "")))
	require.NoError(t, err)
	require.Equal(t, []string{
		"driver of 0001:01:00.2 is vfio-pci (was igbvf with link eth8v2 address 02:07:00:00:00:00 mtu 1400 up)",
		"link set eth8 vf 2 mac 52:54:00:00:00:01 vlan 0 (was mac 02:07:00:00:00:00 vlan 7 qos 3 proto 802.1ad)",
	}, lines(port.Built))
	require.NoError(t, port.Detach(t.Context()))
	// What is as it should be is not set.
	port, err = domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"},
		nic(t, strings.Replace(function(third, " managed='yes'", ""), "52:54:00:00:00:01", "02:07:00:00:00:00", 1)))
	require.NoError(t, err)
	require.Equal(t, "link set eth8 vf 2 vlan 0 (was vlan 7 qos 3 proto 802.1ad)", port.Built[1].Op.String())
	// What somebody else sets meanwhile stays.
	set(host.VF{MaxRate: 8}, host.VF{MaxRate: 9})
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, strings.Replace(before, "max_tx_rate 9", "max_tx_rate 8", 1), strings.Replace(m.String(), "min_tx_rate 0", "min_tx_rate 1", 1))
}

func TestAttachFunctionRefuses(t *testing.T) {
	web := domainiface.Guest{Name: "web"}
	managed := function(first, " managed='yes'", "")
	for name, c := range map[string]struct {
		guest domainiface.Guest
		text  string
		first func(m *hosttest.Machine) error
		kind  error
		want  string
	}{
		"no such card": {web, function(host.PCI{Bus: 9}, " managed='yes'", ""), nil, fs.ErrNotExist, "/interface/source/address: the host has no card 0000:09:00.0"},
		"whole card":   {web, function(host.PCI{Domain: 1}, " managed='yes'", ""), nil, fs.ErrInvalid, "0001:00:00.0 is no virtual function"},
		"not managed":  {web, function(first, "", ""), nil, fs.ErrInvalid, "/interface/source/address: 0001:01:00.0 is not managed and cannot be handed over, driver igbvf has it"},
		"card that is down": {web, managed, func(m *hosttest.Machine) error { return m.Do(context.Background(), host.SetDown{Link: "eth8"}) }, fs.ErrInvalid,
			"0001:01:00.0 is a function of eth8, which is down: ip link set eth8 up"},
		"IOMMU group": {web, managed, func(m *hosttest.Machine) error { return m.JoinGroup(first, third) }, fs.ErrExist,
			"0001:01:00.0 is in IOMMU group 1 with 0001:01:00.2, which driver igbvf has"},
		"IOMMU group of one that has its driver": {web, function(second, "", ""), func(m *hosttest.Machine) error { return m.JoinGroup(second, third) }, fs.ErrExist,
			"0001:01:00.1 is in IOMMU group 2 with 0001:01:00.2, which driver igbvf has"},
		"address": {web, managed, func(m *hosttest.Machine) error {
			return m.Do(context.Background(), host.AddAddr{Link: "eth8v0", Prefix: netip.MustParsePrefix("192.0.2.7/24")})
		}, fs.ErrExist, "0001:01:00.0 is used by the host, which has address 192.0.2.7/24 there"},
		"another driver of the host": {web, managed, func(m *hosttest.Machine) error { return m.Bind(first, "uio_pci_generic") }, fs.ErrExist,
			"driver uio_pci_generic has 0001:01:00.0, without a network device here"},
		"no such driver":         {web, function(first, " managed='yes'", "<driver model='qat_vfio_pci'/>"), nil, errors.ErrUnsupported, "driver qat_vfio_pci"},
		"profile without a uuid": {web, function(first, " managed='yes'", qbh), nil, fs.ErrInvalid, "/interface/virtualport: 802.1Qbh needs a guest with a uuid"},
		"way":                    {web, function(first, " managed='yes'", "<driver name='kvm'/>"), nil, errors.ErrUnsupported, "/interface/driver/@name: a function by way of kvm"},
		"container":              {domainiface.Guest{Name: "box", Namespace: "/run/netns/box"}, managed, nil, errors.ErrUnsupported, "/interface/source: a container"},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, _ := onFunctions(t)
			if c.first != nil {
				require.NoError(t, c.first(m))
			}
			before := m.String()
			_, err := domainiface.Attach(t.Context(), nets, c.guest, nic(t, c.text))
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, before, m.String())
		})
	}
}

// TestBusyFunctions passes over the functions that cannot be handed over, and says why.
func TestBusyFunctions(t *testing.T) {
	m, nets, _ := onFunctions(t)
	require.NoError(t, m.JoinGroup(host.PCI{Domain: 1}, first))
	require.NoError(t, m.Bind(second, "uio_pci_generic"))
	n, err := network.Parse(strings.NewReader(managedPool))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, whole1))
	require.NoError(t, err)
	require.Equal(t, third.String(), port.Document.Plug.Address.String())
	_, err = domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "db"}, nic(t, strings.Replace(whole1, ":01'", ":02'", 1)))
	require.ErrorIs(t, err, network.ErrFull)
	for _, want := range []string{
		"eth8v0 (0001:01:00.0) is in IOMMU group 0 with 0001:00:00.0, which driver igb has",
		"0001:01:00.1 has driver uio_pci_generic and no network device here: it may be in use in another network namespace",
		`0001:01:00.2 is held alone by port ` + port.ID.String() + ` of guest "web"`,
	} {
		assert.ErrorContains(t, err, want)
	}
}

// TestFunctionAtomic fails at every step, after which the function is as it was.
func TestFunctionAtomic(t *testing.T) {
	for name, text := range map[string]string{
		"whole": function(first, " managed='yes'", "<vlan><tag id='42'/></vlan>"),
		"below": `<interface type='direct'><source dev='eth8v0' mode='passthrough'/><vlan><tag id='42'/></vlan></interface>`,
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, _ := onFunctions(t)
			require.GreaterOrEqual(t, atomic(t, m, nets, domainiface.Guest{Name: "web"}, text), 2)
		})
	}
}

// TestFunctionBelow puts a function that a macvtap device stands on into a VLAN.
func TestFunctionBelow(t *testing.T) {
	for _, text := range []string{
		`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth8v0' mode='passthrough'/><vlan><tag id='42'/></vlan></interface>`,
		`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='alone'/><vlan><tag id='42'/></vlan></interface>`,
	} {
		m, nets, _ := onFunctions(t, functionsPool)
		before := m.String()
		port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, text))
		require.NoError(t, err)
		require.Equal(t, []string{
			"link set eth8 vf 0 vlan 42 (was vlan 0)",
			"link add link eth8v0 name macvtap0 address 52:54:00:00:00:01 type macvtap mode passthru vnet_hdr (eth8v0 was 02:01:00:00:00:01)",
			"sysctl net/ipv6/conf/macvtap0/disable_ipv6=1 (was 0)",
			"link set eth8v0 up",
			"link set macvtap0 up",
		}, lines(port.Built))
		require.NoError(t, port.Update(t.Context(), nic(t, strings.Replace(text, "'42'", "'43'", 1))))
		require.Contains(t, m.String(), "vlan 43")
		require.NoError(t, port.Update(t.Context(), nic(t, strings.Replace(text, "<vlan><tag id='42'/></vlan>", "", 1))))
		require.NotContains(t, m.String(), "vlan 4")
		require.NoError(t, port.Detach(t.Context()))
		require.Equal(t, before, m.String())
	}
}

// TestFunctionBelowFixed gives a guest a function whose card has fixed its address: it gets the guest's from the card, and its
// own again when the guest goes.
func TestFunctionBelowFixed(t *testing.T) {
	for name, guest := range map[string]domainiface.Guest{"machine": {Name: "web"}, "container": box} {
		t.Run(name, func(t *testing.T) {
			m, nets, store := onFunctions(t)
			m.AddNamespace(box.Namespace)
			fix := host.SetFunction{PCI: first, Generation: 1, PF: "eth8", VF: host.VF{MAC: host.MAC{2, 7}, VLAN: 5}}
			require.NoError(t, m.Do(t.Context(), fix))
			require.NoError(t, m.Bind(first, ""))
			require.NoError(t, m.Bind(first, hosttest.FunctionDriver))
			for _, op := range []host.Op{host.SetMTU{Link: "eth8v0", MTU: 1400, Was: 1500}, host.SetUp{Link: "eth8v0"}} {
				require.NoError(t, m.Do(t.Context(), op))
			}
			before := m.String()
			text := `<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth8v0' mode='passthrough'/><vlan><tag id='42'/></vlan></interface>`
			require.GreaterOrEqual(t, atomic(t, m, nets, guest, text), 2)

			port, err := domainiface.Attach(t.Context(), nets, guest, nic(t, text))
			require.NoError(t, err)
			built := lines(port.Built)
			require.Equal(t, "link set eth8 vf 0 mac 52:54:00:00:00:01 vlan 42 (was mac 02:07:00:00:00:00 vlan 5), driver igbvf of eth8v0 starts anew", built[0])
			require.Contains(t, built[1], "mode passthru")
			require.Contains(t, built[1], "(eth8v0 was 52:54:00:00:00:01)")
			// An update leaves the driver alone, and so does a repair.
			done := len(m.Log())
			require.NoError(t, port.Update(t.Context(), nic(t, strings.Replace(text, "'42'", "'43'", 1))))
			require.Equal(t, []string{"link set eth8 vf 0 vlan 43 (was vlan 42)"}, logged(m, done))
			require.NoError(t, m.Do(t.Context(), host.SetFunction{PCI: first, Generation: 1, PF: "eth8", VF: host.VF{VLAN: 9}, Was: host.VF{VLAN: 43}}))
			_, err = nets.Repair(t.Context(), network.RepairRequest{})
			require.NoError(t, err)
			require.Equal(t, []string{"link set eth8 vf 0 vlan 43 (was vlan 9)"}, logged(m, done+2))

			nets, err = network.Open(t.Context(), m, store)
			require.NoError(t, err)
			again, err := domainiface.Lookup(t.Context(), nets, "", port.ID)
			require.NoError(t, err)
			require.NoError(t, again.Detach(t.Context()))
			require.Equal(t, before, m.String())

			// The host uses it.
			require.NoError(t, m.Do(t.Context(), host.AddAddr{Link: "eth8v0", Prefix: netip.MustParsePrefix("192.0.2.7/24")}))
			before = m.String()
			_, err = domainiface.Attach(t.Context(), nets, guest, nic(t, text))
			require.ErrorIs(t, err, fs.ErrExist)
			require.ErrorContains(t, err, "is used by the host, which has address 192.0.2.7/24 there")
			require.Equal(t, before, m.String())

			// One that is trusted takes any address by itself.
			require.NoError(t, m.Do(t.Context(), host.DelAddr{Link: "eth8v0", Prefix: netip.MustParsePrefix("192.0.2.7/24")}))
			require.NoError(t, m.Do(t.Context(), host.SetFunction{PCI: first, Generation: 1, PF: "eth8", VF: host.VF{Trust: host.On}, Was: host.VF{Trust: host.Off}}))
			port, err = domainiface.Attach(t.Context(), nets, guest, nic(t, text))
			require.NoError(t, err)
			require.Equal(t, "link set eth8 vf 0 vlan 42 (was vlan 5)", lines(port.Built)[0])
		})
	}
}

// logged are the operations that were done since there were so many.
func logged(m *hosttest.Machine, since int) (list []string) {
	for _, op := range m.Log()[since:] {
		list = append(list, op.String())
	}
	return list
}

// TestUpdateFunction puts a running guest into another VLAN, and leaves its driver alone.
func TestUpdateFunction(t *testing.T) {
	m, nets, _ := onFunctions(t)
	before := m.String()
	text := function(first, " managed='yes'", "<vlan><tag id='42'/></vlan>")
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, text))
	require.NoError(t, err)
	done := len(m.Log())
	require.NoError(t, port.Update(t.Context(), nic(t, strings.Replace(text, "'42'", "'43'", 1))))
	require.Len(t, m.Log(), done+1)
	require.Equal(t, "link set eth8 vf 0 vlan 43 (was vlan 42)", m.Log()[done].String())
	require.NoError(t, port.Update(t.Context(), nic(t, function(first, " managed='yes' trustGuestRxFilters='yes'", ""))))
	require.Equal(t, "link set eth8 vf 0 vlan 0 trust on (was vlan 43 trust off)", m.Log()[done+1].String())
	require.ErrorIs(t, port.Update(t.Context(), nic(t, function(third, " managed='yes'", ""))), errors.ErrUnsupported)
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, before, m.String())
}

// TestRepairFunction sets again what somebody has changed, and gives the function to its driver again.
func TestRepairFunction(t *testing.T) {
	m, nets, _ := onFunctions(t)
	before := m.String()
	_, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, function(first, " managed='yes'", "<vlan><tag id='42'/></vlan>")))
	require.NoError(t, err)
	running := m.String()
	require.NoError(t, m.Do(t.Context(), host.SetFunction{
		PCI: first, Generation: 1, PF: "eth8", VF: host.VF{MAC: host.MAC{2, 6}, VLAN: 6}, Was: host.VF{MAC: host.MAC{2}, VLAN: 42},
	}))
	require.NoError(t, m.Bind(first, hosttest.FunctionDriver))
	drifts, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, drifts, 1)
	require.Equal(t, []string{
		"driver of 0001:01:00.0 is vfio-pci (was igbvf with link eth8v0 address 02:01:00:00:00:01 mtu 1500)",
		"link set eth8 vf 0 mac 52:54:00:00:00:01 vlan 42 (was mac 02:06:00:00:00:00 vlan 6)",
	}, lines(drifts[0].Repair))
	_, err = nets.Repair(t.Context(), network.RepairRequest{})
	require.NoError(t, err)
	require.Equal(t, running, m.String())
	for port, err := range nets.Ports(t.Context(), "") {
		require.NoError(t, err)
		require.NoError(t, nets.DeletePort(t.Context(), "", port.Port.UUID))
	}
	require.Equal(t, strings.ReplaceAll(before, "02:01:00:00:00:01", "02:01:01:00:00:01"), strings.ReplaceAll(m.String(), "02:01:00:00:00:01", "02:01:01:00:00:01"))
}

// TestFunctionLost has the functions of a card come anew while a guest has one: the guest's is gone, and the one in its
// place is left alone.
func TestFunctionLost(t *testing.T) {
	m, nets, store := onFunctions(t)
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, function(first, " managed='yes'", "<vlan><tag id='42'/></vlan>")))
	require.NoError(t, err)
	require.NoError(t, m.RemakeFunctions("eth8"))
	anew := m.String()
	drifts, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, drifts, 1)
	require.Equal(t, first.String(), drifts[0].Lost)
	require.Empty(t, drifts[0].Repair)
	_, err = port.Passthrough(t.Context())
	require.NoError(t, err)
	nets, err = network.Open(t.Context(), m, store)
	require.NoError(t, err)
	_, err = domainiface.Lookup(t.Context(), nets, "", port.ID)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, anew, m.String())
}

// TestFunctionGroups gives the functions of one IOMMU group to one guest only, by a network and by themselves.
func TestFunctionGroups(t *testing.T) {
	m, nets, _ := onFunctions(t, strings.ReplaceAll(managedPool, "managed='yes'", ""))
	for _, place := range []host.PCI{first, third} {
		require.NoError(t, m.Bind(place, "vfio-pci"))
	}
	require.NoError(t, m.JoinGroup(first, second))
	attach := func(guest, text string) (*domainiface.Port, error) {
		return domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: guest}, nic(t, strings.Replace(text, "<mac address='52:54:00:00:00:01'/>", "", 1)))
	}
	web, err := attach("web", whole1)
	require.NoError(t, err)
	require.Equal(t, first.String(), web.Document.Plug.Address.String())
	db, err := attach("db", whole1)
	require.NoError(t, err)
	require.Equal(t, third.String(), db.Document.Plug.Address.String())
	held := `0001:01:00.1 is in IOMMU group 1 with 0001:01:00.0, which is held alone by port ` + web.ID.String() + ` of guest "web"`
	_, err = attach("dns", whole1)
	require.ErrorIs(t, err, network.ErrFull)
	require.ErrorContains(t, err, held)
	_, err = attach("dns", function(second, "", ""))
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "/networkport/plug/address: "+held)

	more, err := attach("web", whole1)
	require.NoError(t, err, "it has the group already")
	require.Equal(t, second.String(), more.Document.Plug.Address.String())
	require.NoError(t, web.Detach(t.Context()))
	_, err = attach("dns", whole1)
	require.ErrorIs(t, err, network.ErrFull)
	require.NoError(t, more.Detach(t.Context()))
	_, err = attach("dns", whole1)
	require.NoError(t, err)
}

// TestUnmanagedFunctions passes over the functions of a network that nobody has handed over, and says why.
func TestUnmanagedFunctions(t *testing.T) {
	for name, c := range map[string]struct {
		driver, want string
	}{
		"any driver":      {"", "0001:01:00.1"},
		"its own driver":  {"<driver name='vfio' model='vfio-pci'/>", "0001:01:00.1"},
		"another of them": {"<driver name='vfio' model='mlx5_vfio_pci'/>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, _ := onFunctions(t)
			require.NoError(t, m.Bind(third, ""))
			n, err := network.Parse(strings.NewReader(`<network><name>whole</name><forward mode='hostdev'>` + c.driver + `<pf dev='eth8'/></forward></network>`))
			require.NoError(t, err)
			require.NoError(t, nets.Create(t.Context(), n))
			says := []string{"eth8v0 (0001:01:00.0) is not managed, and driver igbvf has it", "0001:01:00.2 is not managed, and no driver has it"}
			if c.want == "" {
				says = append(says, "0001:01:00.1 is not managed, and driver vfio-pci has it")
			} else {
				port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, whole1))
				require.NoError(t, err)
				require.Equal(t, c.want, port.Document.Plug.Address.String())
			}
			_, err = domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "db"}, nic(t, strings.Replace(whole1, ":01'", ":02'", 1)))
			require.ErrorIs(t, err, network.ErrFull)
			for _, want := range says {
				assert.ErrorContains(t, err, want)
			}
			require.NoError(t, m.Bind(third, map[bool]string{true: "mlx5_vfio_pci", false: "vfio-pci"}[c.want == ""]))
			_, err = domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "db"}, nic(t, strings.Replace(whole1, ":01'", ":02'", 1)))
			require.NoError(t, err)
		})
	}
}
