// SPDX-License-Identifier: Apache-2.0

package seeds

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// nic reads an interface that breaks no rule.
func nic(t *testing.T, text string) *domainiface.Interface {
	t.Helper()
	i, err := domainiface.Reader{Strict: true}.Parse(strings.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, i.Validate())
	return i
}

// refused returns what is wrong with an interface.
func refused(t *testing.T, text string) string {
	t.Helper()
	i, err := domainiface.Parse(strings.NewReader(text))
	if i != nil {
		err = schema.Join(err, i.Validate())
	}
	require.Error(t, err)
	return err.Error()
}

// written returns the text of an interface as libvirt tells it.
func written(t *testing.T, i *domainiface.Interface) string {
	t.Helper()
	i.Normalize(schema.Rules{})
	text, err := i.Format()
	require.NoError(t, err)
	return string(text)
}

// net reads a network that breaks no rule.
func net(t *testing.T, text string) *network.Network {
	t.Helper()
	n, err := network.Reader{Strict: true}.Parse(strings.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, n.Validate())
	return n
}

func TestSeed_A01_DirectWithDeviceAndMode(t *testing.T) {
	i := nic(t, `<interface type='direct'><source dev='eth0' mode='vepa'/></interface>`)
	assert.Equal(t, domainiface.Direct, i.Type)
	assert.Equal(t, schema.Text("eth0"), i.Source.Dev)
	assert.Equal(t, domainiface.ModeVEPA, i.Source.Mode)
	assert.Contains(t, refused(t, `<interface type='direct'><source mode='vepa'/></interface>`), "[source-dev]")
}

func TestSeed_A02_VEPAIsTheDefault(t *testing.T) {
	i := nic(t, `<interface type='direct'><source dev='eth0'/></interface>`)
	assert.Equal(t, schema.MacvtapVEPA, i.Source.Mode.Macvtap())
	assert.Contains(t, written(t, i), "<source dev='eth0' mode='vepa'/>")
}

func TestSeed_A03_Bridge(t *testing.T) {
	assert.Equal(t, schema.MacvtapBridge, nic(t, `<interface type='direct'><source dev='eth0' mode='bridge'/></interface>`).Source.Mode.Macvtap())
}

func TestSeed_A04_Private(t *testing.T) {
	assert.Equal(t, schema.MacvtapPrivate, nic(t, `<interface type='direct'><source dev='eth0' mode='private'/></interface>`).Source.Mode.Macvtap())
	assert.Equal(t, network.ForwardPrivate, network.Isolation.Candidates([]network.Device{{Name: "eth0"}})[0].Mode)
}

func TestSeed_A05_Passthrough(t *testing.T) {
	assert.Equal(t, schema.MacvtapPassthrough, nic(t, `<interface type='direct'><source dev='eth0' mode='passthrough'/></interface>`).Source.Mode.Macvtap())
	n := net(t, `<network><name>n</name><forward mode='passthrough'><interface dev='eth0'/><interface dev='eth1'/></forward></network>`)
	assert.Len(t, n.Forward.Interfaces, 2)
}

func TestSeed_A07_QbgParameters(t *testing.T) {
	i := nic(t, `<interface type='direct'><source dev='eth0.2' mode='vepa'/>
		<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport></interface>`)
	assert.Equal(t, virtualport.Qbg, i.VirtualPort.Type)
	p := i.VirtualPort.Parameters
	assert.Equal(t, "11 1193047 2 09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f", p.ManagerID.String()+" "+p.TypeID.String()+" "+p.TypeIDVersion.String()+" "+p.InstanceID.String())
	assert.Contains(t, refused(t, `<interface type='direct'><source dev='eth0.2'/>
		<virtualport type='802.1Qbg'><parameters managerid='0' typeid='1' typeidversion='2'/></virtualport></interface>`), "managerid")
	made, err := nic(t, `<interface type='direct'><source dev='eth0.2'/><virtualport type='802.1Qbg'>
		<parameters managerid='11' typeid='1' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport></interface>`).Complete(rand.Reader)
	require.NoError(t, err)
	assert.Equal(t, p.InstanceID, made.VirtualPort.Parameters.InstanceID, "what is given stays")
}

func TestSeed_A08_QbgNeedsAVLAN(t *testing.T) {
	const port = `<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>`
	assert.Contains(t, refused(t, `<interface type='direct'><source dev='eth0.2' mode='passthrough'/><vlan><tag id='0'/></vlan>`+port+`</interface>`), "vlan")
	onHost := &host.Facts{Links: []host.Link{{Name: "eth0"}, {Name: "eth0.2", Kind: "vlan", Lower: "eth0", VLAN: 2}}}
	for text, ok := range map[string]bool{
		`<interface type='direct'><source dev='eth0.2'/>` + port + `</interface>`:                         true,
		`<interface type='direct'><source dev='eth0'/>` + port + `</interface>`:                           false,
		`<interface type='direct'><source dev='eth0'/><vlan><tag id='2'/></vlan>` + port + `</interface>`: true,
		`<interface type='direct'><source dev='eth0' mode='vepa'/></interface>`:                           true,
	} {
		err := nic(t, text).ValidateHost(onHost, schema.Rules{})
		assert.Equal(t, ok, err == nil, "%s: %v", text, err)
	}
}

func TestSeed_A09_QbhProfile(t *testing.T) {
	i := nic(t, `<interface type='direct'><source dev='eth0' mode='private'/><virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport></interface>`)
	assert.Equal(t, virtualport.Qbh, i.VirtualPort.Type)
	assert.Equal(t, "finance", i.VirtualPort.Parameters.ProfileID)
	assert.Contains(t, refused(t, `<interface type='direct'><source dev='eth0'/><virtualport type='802.1Qbh'><parameters/></virtualport></interface>`), "profileid")
}

func TestSeed_A12_BondsAndVLANs(t *testing.T) {
	for _, dev := range []string{"eth0", "bond0", "bond0.623"} {
		assert.Equal(t, dev, nic(t, `<interface type='direct'><source dev='`+dev+`' mode='bridge'/></interface>`).Source.Dev.String())
	}
	devices := []network.Device{{Name: "bond0", Driver: "bond"}, {Name: "bond0.623", Driver: "vlan"}, {Name: "eth0", Master: "bond0"}}
	for _, c := range network.ExternalSwitching.Candidates(devices) {
		if c.Mode == network.ForwardVEPA {
			assert.Equal(t, c.Device != "eth0", c.Serves(), c.Device)
		}
	}
}

func TestSeed_A14_TrustGuestRxFilters(t *testing.T) {
	assert.Equal(t, schema.Yes, nic(t, `<interface type='direct' trustGuestRxFilters='yes'><source dev='bond0'/></interface>`).TrustGuestRxFilters)
	assert.Zero(t, nic(t, `<interface type='direct'><source dev='bond0'/></interface>`).TrustGuestRxFilters)
	assert.Equal(t, schema.Yes, net(t, `<network trustGuestRxFilters='yes'><name>n</name><forward mode='bridge'><interface dev='bond0'/></forward></network>`).TrustGuestRxFilters)
}

func TestSeed_A15_MACIsMadeUp(t *testing.T) {
	i, err := nic(t, `<interface type='direct'><source dev='eth0'/></interface>`).Complete(strings.NewReader("\x01\x02\x03"))
	require.NoError(t, err)
	assert.Equal(t, "52:54:00:01:02:03", i.MAC.Address.String())
}

func TestSeed_A16_ANetworkHidesTheDevice(t *testing.T) {
	i := nic(t, `<interface type='network'><source network='uplink'/></interface>`)
	assert.NotContains(t, written(t, i), "dev=")
	here := net(t, `<network><name>uplink</name><forward mode='vepa'><interface dev='eth0'/></forward></network>`)
	there := net(t, `<network><name>uplink</name><forward mode='vepa'><interface dev='enp3s0'/></forward></network>`)
	assert.Equal(t, here.Name, there.Name)
}

func TestSeed_A17_ModelVirtio(t *testing.T) {
	assert.True(t, nic(t, `<interface type='direct'><source dev='eth0'/><model type='virtio'/></interface>`).Model.Virtio())
}

func TestSeed_A18_IOMMU(t *testing.T) {
	assert.Equal(t, schema.On, nic(t, `<interface type='direct'><source dev='eth0'/><model type='virtio'/><driver iommu='on'/></interface>`).Driver.IOMMU)
}

func TestSeed_A19_WhatIsWanted(t *testing.T) {
	var got []string
	for _, i := range []network.Intent{network.LocalSwitching, network.ExternalSwitching, network.Isolation, network.ExclusiveDevice} {
		c := i.Candidates([]network.Device{{Name: "eth0"}})[0]
		require.True(t, c.Serves())
		got = append(got, i.String()+": "+c.Mode.String())
	}
	assert.Equal(t, []string{"local switching: nat", "external switching: vepa", "isolation: private", "exclusive device: passthrough"}, got)
}

func TestSeed_A20_CardConnectionBridge(t *testing.T) {
	const text = `<interface type='bridge'><source bridge='br0'/><target dev='tap7'/><model type='e1000'/></interface>`
	i := nic(t, text)
	assert.Equal(t, domainiface.E1000, i.Model.Type, "the card")
	assert.Equal(t, "tap7", i.Target.Dev.String(), "the connection")
	assert.Equal(t, "br0", i.Source.Bridge.String(), "the bridge")
	direct := nic(t, `<interface type='direct'><source dev='eth0'/><target dev='tap7'/><model type='e1000'/></interface>`)
	assert.Equal(t, i.Model, direct.Model, "what the guest sees does not change with the connection")
}

func TestSeed_A21_ModesOfForwarding(t *testing.T) {
	for text, want := range map[string]network.ForwardMode{
		`<forward mode='bridge'/><bridge name='br0'/>`:                                     network.ForwardBridge,
		`<forward mode='bridge'><interface dev='eth0'/></forward>`:                         network.ForwardBridge,
		`<forward mode='vepa'><interface dev='eth0'/></forward>`:                           network.ForwardVEPA,
		`<forward mode='passthrough'><pf dev='eth0'/></forward>`:                           network.ForwardPassthrough,
		`<forward mode='hostdev' managed='yes'><pf dev='eth0'/></forward>`:                 network.ForwardHostdev,
		`<forward mode='private'><interface dev='eth0'/><interface dev='eth1'/></forward>`: network.ForwardPrivate,
	} {
		assert.Equal(t, want, net(t, `<network><name>n</name>`+text+`</network>`).Mode(), text)
	}
}

func TestSeed_A22_Aliases(t *testing.T) {
	for word, want := range map[string]string{"VEPA": "vepa", "PEPA": "private", "VEB": "bridge"} {
		text := `<interface type='direct'><source dev='eth0' mode='` + word + `'/></interface>`
		assert.Contains(t, refused(t, text), `did you mean "`+want+`"?`)
		i, err := domainiface.Reader{Aliases: true}.Parse(strings.NewReader(text))
		require.NoError(t, err)
		assert.Contains(t, written(t, i), "mode='"+want+"'")
	}
}

func TestSeed_A25_SwitchInTheCard(t *testing.T) {
	for mode, want := range map[schema.MacvtapMode]network.Intent{schema.MacvtapBridge: network.LocalSwitching, schema.MacvtapVEPA: network.ExternalSwitching} {
		for _, intent := range []network.Intent{network.LocalSwitching, network.ExternalSwitching} {
			for _, c := range intent.Candidates([]network.Device{{Name: "pf", VFs: 4, Up: true, Switch: mode}}) {
				if c.Mode == network.ForwardHostdev {
					assert.Equal(t, intent == want, c.Serves(), "%s with %s", intent, mode)
				}
			}
		}
	}
}

func TestSeed_A29_OneDeviceInSeveralNetworks(t *testing.T) {
	for _, mode := range []string{"vepa", "private", "bridge"} {
		n := net(t, `<network><name>`+mode+`</name><forward mode='`+mode+`'><interface dev='eth0'/></forward></network>`)
		assert.Equal(t, "eth0", n.Forward.Interfaces[0].Dev.String())
	}
}

// definitions reads a definition of 2010 and returns its networks in short.
func definitions(t *testing.T, text string) string {
	t.Helper()
	_, err := network.Parse(strings.NewReader(text))
	require.ErrorContains(t, err, "Aliases", "only for who asks for it")
	all, err := network.Reader{Aliases: true}.ParseAll(strings.NewReader(text))
	require.NoError(t, err)
	var words []string
	for _, n := range all {
		require.NoError(t, n.Validate())
		words = append(words, n.Name+" "+n.Mode().String())
	}
	return strings.Join(words, ", ")
}

func TestSeed_A31_BridgeDefinitions(t *testing.T) {
	const head, tail = `<interface type='bridge' name='s'><bridge>`, `<interface type='ethernet' name='eth0'/></bridge></interface>`
	assert.Equal(t, "s bridge", definitions(t, `<interface type='bridge' name='s'/>`))
	assert.Equal(t, "s vepa", definitions(t, head+`<type>embedded</type><mode>VEPA</mode>`+tail))
	assert.Equal(t, "s private", definitions(t, head+`<type>embedded</type><mode>PEPA</mode>`+tail))
	assert.Equal(t, "s bridge", definitions(t, head+`<type>embedded</type><mode>VEB</mode>`+tail))
	assert.Equal(t, "s-vepa vepa, s-private private, s-bridge bridge", definitions(t, head+`<type>embedded</type><mode>all</mode>`+tail))
	assert.Equal(t, "s-vepa vepa, s-private private, s-bridge bridge", definitions(t, head+`<type>embedded</type>`+tail))
	assert.Equal(t, "s vepa", definitions(t, head+`<type>ethernet</type>`+tail))
}

func TestSeed_A32_PhysicalDefinitions(t *testing.T) {
	assert.Equal(t, "s private", definitions(t, `<interface type='physical' name='s'><source dev='eth0'/><mode>PEPA</mode></interface>`))
	assert.Equal(t, "s-vepa vepa, s-private private, s-bridge bridge", definitions(t, `<interface type='physical' name='s'><source dev='eth0'/></interface>`))
}

func TestSeed_A33_TargetMode(t *testing.T) {
	for _, text := range []string{
		`<interface type='physical'><source dev='eth0'/><target mode='veb'/></interface>`,
		`<interface type='bridge'><source bridge='eth0'/><target mode='VEB'/></interface>`,
	} {
		i, err := domainiface.Reader{Aliases: true}.Parse(strings.NewReader(text))
		require.NoError(t, err)
		assert.Equal(t, "<interface type='direct'>\n  <source dev='eth0' mode='bridge'/>\n</interface>\n", written(t, i))
	}
	_, err := domainiface.Reader{Aliases: true}.Parse(strings.NewReader(`<interface type='physical'><source dev='eth0'/><target mode='all'/></interface>`))
	assert.ErrorContains(t, err, "not all")
}

func TestSeed_A34_TheDeviceFollows(t *testing.T) {
	devices := []network.Device{{Name: "eth0", Master: "bond0"}, {Name: "bond0", Driver: "bond"}, {Name: "br0", Driver: "bridge"}}
	for intent, want := range map[network.Intent]string{network.ExternalSwitching: "bond0", network.Isolation: "bond0", network.ExclusiveDevice: "bond0"} {
		c := intent.Candidates(devices)[0]
		require.True(t, c.Serves())
		assert.Equal(t, want, c.Network("n").Forward.Interfaces[0].Dev.String())
	}
}
