// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

const (
	idA = "aaaaaaaa-0000-4000-8000-000000000001"
	idB = "bbbbbbbb-0000-4000-8000-000000000002"
	// made is what the randomness of these tests makes up.
	made = "07070707-0707-4707-8707-070707070707"
)

// networks are what the ports of these tests meet: one of each kind.
var networks = map[string]string{
	"plain":  `<network><name>plain</name><bridge name='vbr7'/></network>`,
	"nat":    `<network><name>nat</name><forward mode='nat'/><bridge name='vbr1'/><bandwidth><inbound average='900'/></bandwidth><ip address='198.51.100.1' prefix='24'/></network>`,
	"route":  `<network><name>route</name><forward mode='route'/><bridge name='vbr2' macTableManager='libvirt'/><ip address='198.51.100.1' prefix='24'/></network>`,
	"open":   `<network trustGuestRxFilters='yes'><name>open</name><forward mode='open'/><bridge name='vbr3'/></network>`,
	"office": `<network><name>office</name><forward mode='bridge'/><bridge name='br9'/><port isolated='yes'/></network>`,
	"switch": `<network><name>switch</name><forward mode='bridge'/><bridge name='ovs4'/><vlan><tag id='20'/></vlan><virtualport type='openvswitch'/>
		<portgroup name='db'><vlan><tag id='30'/></vlan><virtualport type='openvswitch'><parameters profileid='db'/></virtualport>
			<bandwidth><outbound average='70'/></bandwidth></portgroup>
		<portgroup name='any' default='yes' trustGuestRxFilters='yes'/></network>`,
	"named":   `<network><name>named</name><forward mode='bridge'/><bridge name='ovs4'/><virtualport type='openvswitch'><parameters interfaceid='` + idB + `'/></virtualport></network>`,
	"untyped": `<network><name>untyped</name><forward mode='bridge'/><bridge name='ovs4'/><portgroup name='p'><virtualport><parameters profileid='web'/></virtualport></portgroup></network>`,
	"macvtap": `<network><name>macvtap</name><forward mode='bridge'><interface dev='lan0'/></forward></network>`,
	"vepa": `<network><name>vepa</name><forward mode='vepa'><interface dev='lan1'/><interface dev='lan2'/></forward>
		<virtualport type='802.1Qbg'><parameters managerid='5' typeid='66' typeidversion='7'/></virtualport>
		<portgroup name='wrong'><virtualport type='802.1Qbg'><parameters typeid='67'/></virtualport></portgroup></network>`,
	"private": `<network><name>private</name><forward mode='private' dev='lan3'/><portgroup name='ext'><virtualport type='802.1Qbh'><parameters profileid='gold'/></virtualport></portgroup></network>`,
	"alone":   `<network><name>alone</name><forward mode='passthrough'><interface dev='lan4'/></forward><vlan><tag id='8'/></vlan></network>`,
	"pci":     `<network><name>pci</name><forward mode='hostdev' managed='yes'><driver name='vfio'/><pf dev='lan5'/></forward></network>`,
	"pciqbg":  `<network><name>pciqbg</name><forward mode='hostdev'><pf dev='lan5'/></forward></network>`,
	"nothing": `<network><name>nothing</name><forward mode='vepa'/></network>`,
}

func networkOf(t *testing.T, name string) *network.Network {
	t.Helper()
	require.Contains(t, networks, name)
	n, err := network.Parse(strings.NewReader(networks[name]))
	require.NoError(t, err)
	return n
}

// request reads a port with what stands in it after its owner.
func request(t *testing.T, content string) *network.Port {
	t.Helper()
	p, err := network.ParsePort(strings.NewReader(`<networkport><uuid>` + idA + `</uuid><owner><name>g</name><uuid>` + idB + `</uuid></owner>` +
		`<mac address='52:54:00:00:00:09'/>` + content + `</networkport>`))
	require.NoError(t, err)
	return p
}

// settled tells a resolution in one line a setting, without what is usual, and what is chosen and dropped.
func settled(r *network.Resolution) string {
	var b strings.Builder
	for _, s := range r.Settings {
		if s.Layer != schema.ByDefault {
			fmt.Fprintf(&b, "%s: %s (%s %s)\n", s.Name, s.Value, s.Layer, s.Path)
		}
	}
	if r.Choice != network.ChooseNone {
		fmt.Fprintf(&b, "choose %s\n", r.Choice)
	}
	for _, s := range r.Dropped {
		fmt.Fprintf(&b, "dropped %s %s (%s)\n", s.Name, s.Value, s.Path)
	}
	return b.String()
}

// plugged is what a case says about a port on a bridge.
func plugged(kind, mode, dev string) string {
	by := "plug: " + kind + " (network /network/forward/@mode)\n"
	if mode == "" {
		by = ""
	}
	return by + "device: " + dev + " (network /network/bridge/@name)\n"
}

func TestResolve(t *testing.T) {
	macvtap := func(mode, choice string) string {
		return "plug: direct (network /network/forward/@mode)\ndevice: one of the network's, " + choice + " (network /network/forward/@mode)\n" +
			"mode: " + mode + " (network /network/forward/@mode)\n"
	}
	std := "portgroup: any (network /network/portgroup[2]/@default)\n"
	ovs := plugged("bridge", "bridge", "ovs4")
	tests := []struct{ name, network, request, want, port string }{
		{"isolated", "plain", "", "device: vbr7 (network /network/bridge/@name)\n", `<plug type='network' bridge='vbr7'/>`},
		{"nat", "nat", "", plugged("network", "nat", "vbr1"), `<plug type='network' bridge='vbr1'/>`},
		{"the mac table is the network's", "route", "", plugged("network", "route", "vbr2") + "mac table: libvirt (network /network/bridge/@macTableManager)\n",
			`<plug type='network' bridge='vbr2' macTableManager='libvirt'/>`},
		{"trust by the network", "open", "", plugged("network", "open", "vbr3") + "rx filters: yes (network /network/@trustGuestRxFilters)\n",
			`<rxfilters trustGuest='yes'/><plug type='network' bridge='vbr3'/>`},
		{"no trust by the port", "open", "<rxfilters trustGuest='no'/>", plugged("network", "open", "vbr3") + "rx filters: no (interface /networkport/rxfilters/@trustGuest)\n",
			`<rxfilters trustGuest='no'/><plug type='network' bridge='vbr3'/>`},
		{"isolated by the network", "office", "", plugged("bridge", "bridge", "br9") + "isolated: yes (network /network/port/@isolated)\n",
			`<port isolated='yes'/><plug type='bridge' bridge='br9'/>`},
		{"not isolated by the port", "office", "<port isolated='no'/>", plugged("bridge", "bridge", "br9") + "isolated: no (interface /networkport/port/@isolated)\n",
			`<port isolated='no'/><plug type='bridge' bridge='br9'/>`},
		{"the default group", "switch", "", std + ovs + "vlan: 20 (network /network/vlan)\nrx filters: yes (portgroup /network/portgroup[2]/@trustGuestRxFilters)\n" +
			"virtualport type: openvswitch (network /network/virtualport/@type)\nvirtualport interfaceid: " + made + " (generated )\n",
			`<virtualport type='openvswitch'><parameters interfaceid='` + made + `'/></virtualport><vlan><tag id='20'/></vlan><rxfilters trustGuest='yes'/><plug type='bridge' bridge='ovs4'/>`},
		{"a group by name", "switch", "<group>db</group><virtualport><parameters interfaceid='" + idA + "' instanceid='" + idB + "'/></virtualport>",
			"portgroup: db (interface /networkport/group)\n" + ovs + "vlan: 30 (portgroup /network/portgroup[1]/vlan)\n" +
				"bandwidth outbound: average 70 kB/s (portgroup /network/portgroup[1]/bandwidth/outbound)\n" +
				"virtualport type: openvswitch (network /network/virtualport/@type)\nvirtualport interfaceid: " + idA + " (interface /networkport/virtualport/parameters/@interfaceid)\n" +
				"virtualport profileid: db (portgroup /network/portgroup[1]/virtualport/parameters/@profileid)\n" +
				"dropped instanceid " + idB + " (/networkport/virtualport/parameters/@instanceid)\n",
			`<group>db</group><virtualport type='openvswitch'><parameters interfaceid='` + idA + `' profileid='db'/></virtualport>` +
				`<bandwidth><outbound average='70'/></bandwidth><vlan><tag id='30'/></vlan><plug type='bridge' bridge='ovs4'/>`},
		{"own vlan and own rate, as a whole", "switch", "<group>db</group><virtualport type='openvswitch'><parameters interfaceid='" + idA + "'/></virtualport>" +
			"<bandwidth><inbound average='5' peak='6' burst='7'/></bandwidth><vlan><tag id='3' nativeMode='untagged'/><tag id='4'/></vlan><rxfilters trustGuest='no'/>",
			"portgroup: db (interface /networkport/group)\n" + ovs + "vlan: trunk of 3 (native untagged), 4 (interface /networkport/vlan)\n" +
				"bandwidth inbound: average 5 kB/s, peak 6 kB/s, burst 7 KiB (interface /networkport/bandwidth/inbound)\n" +
				"rx filters: no (interface /networkport/rxfilters/@trustGuest)\n" +
				"virtualport type: openvswitch (interface /networkport/virtualport/@type)\nvirtualport interfaceid: " + idA + " (interface /networkport/virtualport/parameters/@interfaceid)\n" +
				"virtualport profileid: db (portgroup /network/portgroup[1]/virtualport/parameters/@profileid)\n", ""},
		{"an identity by the network", "named", "<virtualport/>", ovs +
			"virtualport type: openvswitch (network /network/virtualport/@type)\nvirtualport interfaceid: " + idB + " (network /network/virtualport/parameters/@interfaceid)\n", ""},
		{"a type by the port", "untyped", "<group>p</group><virtualport type='openvswitch'/>", "portgroup: p (interface /networkport/group)\n" + ovs +
			"virtualport type: openvswitch (interface /networkport/virtualport/@type)\nvirtualport interfaceid: " + made + " (generated )\n" +
			"virtualport profileid: web (portgroup /network/portgroup[1]/virtualport/parameters/@profileid)\n", ""},
		{"macvtap devices of mode bridge", "macvtap", "", macvtap("bridge", "shared") + "choose shared\n", `<plug type='direct' mode='bridge'/>`},
		{"vepa", "vepa", "", macvtap("vepa", "shared") + "virtualport type: 802.1Qbg (network /network/virtualport/@type)\n" +
			"virtualport managerid: 5 (network /network/virtualport/parameters/@managerid)\nvirtualport typeid: 66 (network /network/virtualport/parameters/@typeid)\n" +
			"virtualport typeidversion: 7 (network /network/virtualport/parameters/@typeidversion)\nvirtualport instanceid: " + made + " (generated )\nchoose shared\n",
			`<virtualport type='802.1Qbg'><parameters managerid='5' typeid='66' typeidversion='7' instanceid='` + made + `'/></virtualport><plug type='direct' mode='vepa'/>`},
		{"vepa, a part by the port", "vepa", "<virtualport type='802.1Qbg'><parameters managerid='5' instanceid='" + idA + "'/></virtualport>",
			macvtap("vepa", "shared") + "virtualport type: 802.1Qbg (interface /networkport/virtualport/@type)\n" +
				"virtualport managerid: 5 (interface /networkport/virtualport/parameters/@managerid)\nvirtualport typeid: 66 (network /network/virtualport/parameters/@typeid)\n" +
				"virtualport typeidversion: 7 (network /network/virtualport/parameters/@typeidversion)\n" +
				"virtualport instanceid: " + idA + " (interface /networkport/virtualport/parameters/@instanceid)\nchoose shared\n", ""},
		{"private", "private", "", macvtap("private", "shared") + "choose shared\n", `<plug type='direct' mode='private'/>`},
		{"private behind a port extender", "private", "<group>ext</group>", "portgroup: ext (interface /networkport/group)\nplug: direct (network /network/forward/@mode)\n" +
			"device: one of the network's, exclusive (portgroup /network/portgroup[1]/virtualport/@type)\nmode: private (network /network/forward/@mode)\n" +
			"virtualport type: 802.1Qbh (portgroup /network/portgroup[1]/virtualport/@type)\n" +
			"virtualport profileid: gold (portgroup /network/portgroup[1]/virtualport/parameters/@profileid)\nchoose exclusive\n", ""},
		{"passthrough", "alone", "", macvtap("passthrough", "exclusive") + "vlan: 8 (network /network/vlan)\nchoose exclusive\n",
			`<vlan><tag id='8'/></vlan><plug type='direct' mode='passthrough'/>`},
		{"hostdev", "pci", "", "plug: hostdev-pci (network /network/forward/@mode)\ndevice: one of the network's, exclusive (network /network/forward/@mode)\n" +
			"managed: yes (network /network/forward/@managed)\ndriver: vfio (network /network/forward/driver/@name)\nchoose exclusive\n",
			`<plug type='hostdev-pci' managed='yes'><driver name='vfio'/></plug>`},
		{"hostdev of the caller", "pciqbg", "<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>",
			"plug: hostdev-pci (network /network/forward/@mode)\ndevice: one of the network's, exclusive (network /network/forward/@mode)\n" +
				"virtualport type: 802.1Qbh (interface /networkport/virtualport/@type)\nvirtualport profileid: x (interface /networkport/virtualport/parameters/@profileid)\nchoose exclusive\n",
			`<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport><plug type='hostdev-pci' managed='no'/>`},
		{"a guaranteed rate", "nat", "<bandwidth><inbound floor='9'/></bandwidth>", plugged("network", "nat", "vbr1") +
			"bandwidth inbound: floor 9 kB/s (interface /networkport/bandwidth/inbound)\n", ""},
		{"an empty bandwidth is none", "switch", "<group>db</group><bandwidth/>", "portgroup: db (interface /networkport/group)\n" + ovs + "vlan: 30 (portgroup /network/portgroup[1]/vlan)\n" +
			"bandwidth outbound: average 70 kB/s (portgroup /network/portgroup[1]/bandwidth/outbound)\n" +
			"virtualport type: openvswitch (network /network/virtualport/@type)\nvirtualport interfaceid: " + made + " (generated )\n" +
			"virtualport profileid: db (portgroup /network/portgroup[1]/virtualport/parameters/@profileid)\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, rules := range []schema.Rules{{}, {Compat: true}} {
				n, req := networkOf(t, test.network), request(t, test.request)
				r, err := network.Resolver{Rules: rules, Random: sevens{}}.Resolve(n, req)
				require.NoError(t, err)
				assert.Equal(t, test.want, settled(r))
				if test.port != "" {
					assert.Equal(t, portText(t, request(t, test.port)), portText(t, r.Port))
				}
				assert.Equal(t, portText(t, request(t, test.request)), portText(t, req), "the request stays as it is")
				twice, err := network.Resolver{Rules: rules}.Resolve(n, r.Port)
				require.NoError(t, err)
				assert.Equal(t, portText(t, r.Port), portText(t, twice.Port), "what is settled is settled")
				assert.Equal(t, r.Choice, twice.Choice)
				alone, err := network.Resolver{Rules: rules}.Resolve(nil, r.Port)
				if r.Port.Bandwidth == nil || r.Port.Bandwidth.Inbound == nil || !r.Port.Bandwidth.Inbound.Floor.Given() {
					require.NoError(t, err)
					assert.Equal(t, portText(t, r.Port), portText(t, alone.Port), "and needs no network any more")
				} else {
					require.ErrorIs(t, err, errors.ErrUnsupported)
				}
				again, err := n.Format()
				require.NoError(t, err)
				fresh, err := networkOf(t, test.network).Format()
				require.NoError(t, err)
				assert.Equal(t, string(fresh), string(again), "the network stays as it is")
			}
		})
	}
}

func portText(t *testing.T, p *network.Port) string {
	t.Helper()
	text, err := p.Format()
	require.NoError(t, err)
	return string(text)
}

// sevens is randomness that is always 7.
type sevens struct{}

func (sevens) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 7
	}
	return len(b), nil
}

func TestResolveRefuses(t *testing.T) {
	tests := []struct {
		name, network, request, want string
		kind                         error
	}{
		{"profiles differ", "switch", "<group>db</group><virtualport><parameters profileid='ui'/></virtualport>",
			`/networkport/virtualport/parameters/@profileid: the interface says profileid "ui", and the portgroup says "db" (/network/portgroup[1]/virtualport/parameters/@profileid) [virtualport-conflict]`, fs.ErrInvalid},
		{"types differ", "switch", "<virtualport type='802.1Qbh'><parameters profileid='ui'/></virtualport>",
			`/networkport/virtualport/@type: the interface says type "802.1Qbh", and the network says "openvswitch" (/network/virtualport/@type) [virtualport-conflict]`, fs.ErrInvalid},
		{"a group that contradicts its network", "vepa", "<group>wrong</group>",
			`/network/portgroup[1]/virtualport/parameters/@typeid: the portgroup says typeid "67", and the network says "66" (/network/virtualport/parameters/@typeid) [virtualport-conflict]`, fs.ErrInvalid},
		{"two identities", "named", "<virtualport><parameters interfaceid='" + idA + "'/></virtualport>",
			`/networkport/virtualport/parameters/@interfaceid: the interface says interfaceid "` + idA + `", and the network says "` + idB + `" (/network/virtualport/parameters/@interfaceid) [virtualport-conflict]`, fs.ErrInvalid},
		{"not complete", "macvtap", "<virtualport type='802.1Qbg'><parameters managerid='1'/></virtualport>",
			`/networkport/virtualport/parameters/@typeid: the interface makes it a port of type 802.1Qbg, which needs a typeid, and nobody gives one [virtualport-complete]`, fs.ErrInvalid},
		{"a managed network has no switch", "nat", "<virtualport type='openvswitch'/>",
			`/networkport/virtualport/@type: a network of mode nat has no use for a port of type openvswitch [port-virtualport-type]`, fs.ErrInvalid},
		{"a Linux bridge", "office", "<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>",
			`/networkport/virtualport/@type: a network of mode bridge has no use for a port of type 802.1Qbh [port-virtualport-type]`, fs.ErrInvalid},
		{"midonet is for a bridge by name", "office", "<virtualport type='midonet'><parameters interfaceid='" + idA + "'/></virtualport>",
			`/networkport/virtualport/@type: a network of mode bridge has no use for a port of type midonet [port-virtualport-type]`, fs.ErrInvalid},
		{"macvtap", "macvtap", "<virtualport type='openvswitch'/>",
			`/networkport/virtualport/@type: a network of mode bridge without a bridge has no use for a port of type openvswitch [port-virtualport-type]`, fs.ErrInvalid},
		{"hostdev", "pci", "<virtualport type='openvswitch'/>",
			`/networkport/virtualport/@type: a network of mode hostdev has no use for a port of type openvswitch [port-virtualport-type]`, fs.ErrInvalid},
		{"no devices", "nothing", "", `/network/forward: a network of mode vepa needs devices, and network "nothing" has none [port-no-device]`, fs.ErrNotExist},
		{"a floor of nothing", "plain", "<bandwidth><inbound floor='9'/></bandwidth>",
			`/networkport/bandwidth/inbound/@floor: network "plain" has no <inbound> of its own that a rate could be guaranteed of [port-floor-network]`, errors.ErrUnsupported},
		{"a floor on a bridge of the host", "office", "<bandwidth><inbound floor='9'/></bandwidth>",
			`/networkport/bandwidth/inbound/@floor: a network of mode bridge cannot guarantee a rate: only one of mode none, nat, route or open can [port-floor-mode]`, errors.ErrUnsupported},
		{"a floor on macvtap", "macvtap", "<bandwidth><inbound floor='9'/></bandwidth>",
			`/networkport/bandwidth/inbound/@floor: a network of mode bridge without a bridge cannot guarantee a rate: only one of mode none, nat, route or open can [port-floor-mode]`, errors.ErrUnsupported},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, rules := range []schema.Rules{{}, {Compat: true}} {
				r, err := network.Resolver{Rules: rules, Random: sevens{}}.Resolve(networkOf(t, test.network), request(t, test.request))
				assert.Nil(t, r)
				require.EqualError(t, err, test.want)
				require.ErrorIs(t, err, test.kind)
			}
		})
	}
}

// resolveAs resolves a port with that content, without randomness.
func resolveAs(t *testing.T, name, content string, rules schema.Rules) (*network.Resolution, error) {
	t.Helper()
	return network.Resolver{Rules: rules}.Resolve(networkOf(t, name), request(t, content))
}

// without are the ways to leave a deviation out.
func without(d schema.Deviation) []schema.Rules {
	return []schema.Rules{{Compat: true}, {Allow: []schema.Deviation{d}}}
}

func TestResolveUnknownGroup(t *testing.T) {
	_, err := resolveAs(t, "switch", "<group>green</group>", schema.Rules{})
	require.EqualError(t, err, `/networkport/group: network "switch" has no port group "green": it has db, any [port-group-unknown]`)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, fs.ErrInvalid)
	var v *schema.Violation
	require.ErrorAs(t, err, &v)
	assert.Equal(t, string(network.UnknownGroup), v.Rule)
	for _, rules := range without(network.UnknownGroup) {
		r, err := resolveAs(t, "switch", "<group>green</group>", rules)
		require.NoError(t, err)
		assert.Empty(t, r.Group)
		assert.Nil(t, r.Port.RxFilters, "not even the default group")
		assert.Equal(t, "green", r.Port.Group, "the request keeps what it asks for")
		assert.Equal(t, "20", r.Port.VLAN.Tags[0].ID.String())
	}
}

func TestResolveUntypedProfile(t *testing.T) {
	for _, name := range []string{"nat", "office", "alone", "pci"} {
		r, err := resolveAs(t, name, "<virtualport><parameters profileid='p'/></virtualport>", schema.Rules{})
		require.NoError(t, err)
		assert.Nil(t, r.Port.VirtualPort)
		require.Len(t, r.Dropped, 1)
		assert.Equal(t, schema.Setting{Name: "profileid", Value: "p", Layer: schema.ByInterface, Path: "/networkport/virtualport/parameters/@profileid"}, r.Dropped[0])
		_, err = resolveAs(t, name, "<virtualport/>", schema.Rules{Compat: true})
		require.EqualError(t, err, fmt.Sprintf("/networkport/virtualport/@type: neither the port nor network %q nor its port group gives the profile a type [port-virtualport-type]", name))
	}
}

func TestResolveAssociationOfFunctions(t *testing.T) {
	const qbg = "<virtualport type='802.1Qbg'><parameters managerid='1' typeid='2' typeidversion='3'/></virtualport>"
	_, err := resolveAs(t, "pci", qbg, schema.Rules{})
	require.ErrorContains(t, err, "a network of mode hostdev has no use for a port of type 802.1Qbg")
	for _, rules := range without(network.VirtualPortMode) {
		_, err := resolveAs(t, "pci", qbg, rules)
		require.NoError(t, err)
	}
}

func TestResolveWithoutRandomness(t *testing.T) {
	r, err := network.Resolve(networkOf(t, "switch"), request(t, ""))
	require.NoError(t, err)
	assert.Nil(t, r.Port.VirtualPort.Parameters)
	assert.Contains(t, r.Settings, schema.Setting{Name: "virtualport interfaceid", Value: "made up", Layer: schema.Generated})
}

func TestResolvePlaces(t *testing.T) {
	asks := network.Places{Group: "/interface/source/@portgroup"}
	_, err := network.Resolver{Asks: asks}.Resolve(networkOf(t, "switch"), request(t, "<group>green</group>"))
	require.ErrorContains(t, err, "/interface/source/@portgroup: ")
}
