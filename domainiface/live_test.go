// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

const portHead = `<networkport>
  <uuid>7f7a3a4c-5d6e-4f70-8192-a3b4c5d6e7f8</uuid>
  <owner>
    <name>web</name>
    <uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid>
  </owner>
`

const portMAC = "  <mac address='52:54:00:00:00:01'/>\n"

// TestActual gives an interface what a port has, and makes the port of that again.
func TestActual(t *testing.T) {
	for name, c := range map[string]struct{ port, actual string }{
		"network": {
			"  <group>red</group>\n" + portMAC + `  <bandwidth classID='3'>
    <inbound average='1000' floor='200'/>
  </bandwidth>
  <port isolated='yes'/>
  <rxfilters trustGuest='yes'/>
  <plug type='network' bridge='virbr0' macTableManager='libvirt'/>
`, `<actual type='network' trustGuestRxFilters='yes'>
    <source bridge='virbr0' macTableManager='libvirt'/>
    <class id='3'/>
    <bandwidth>
      <inbound average='1000' floor='200'/>
    </bandwidth>
    <port isolated='yes'/>
  </actual>`,
		},
		"bridge": {
			portMAC + `  <virtualport type='openvswitch'>
    <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
  </virtualport>
  <vlan>
    <tag id='42'/>
  </vlan>
  <plug type='bridge' bridge='ovs0'/>
`, `<actual type='bridge'>
    <source bridge='ovs0'/>
    <vlan>
      <tag id='42'/>
    </vlan>
    <virtualport type='openvswitch'>
      <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
    </virtualport>
  </actual>`,
		},
		"direct": {
			portMAC + `  <rxfilters trustGuest='no'/>
  <plug type='direct' dev='eth1' mode='private'/>
`, `<actual type='direct' trustGuestRxFilters='no'>
    <source dev='eth1' mode='private'/>
  </actual>`,
		},
		"hostdev": {
			portMAC + `  <plug type='hostdev-pci' managed='yes'>
    <driver name='vfio'/>
    <address domain='0x0000' bus='0x03' slot='0x10' function='0x2'/>
  </plug>
`, `<actual type='hostdev' managed='yes'>
    <driver name='vfio'/>
    <source>
      <address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x2'/>
    </source>
  </actual>`,
		},
		"hostdev that stays with the host": {
			portMAC + `  <plug type='hostdev-pci' managed='no'>
    <address domain='0x0000' bus='0x03' slot='0x10' function='0x2'/>
  </plug>
`, `<actual type='hostdev'>
    <source>
      <address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x2'/>
    </source>
  </actual>`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := portHead + c.port + "</networkport>\n"
			port, err := network.ParsePort(strings.NewReader(text))
			require.NoError(t, err)
			require.NoError(t, port.Validate())
			i := nic(t, `<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan' portid='7f7a3a4c-5d6e-4f70-8192-a3b4c5d6e7f8'/></interface>`)
			i.Source.PortGroup = schema.Text(port.Group)
			i.Actual = domainiface.ActualOf(port)
			require.NoError(t, i.Validate())
			written, err := i.Format()
			require.NoError(t, err)
			require.Contains(t, string(written), "  "+c.actual+"\n")

			again, err := nic(t, string(written)).ActualPort(*port.Owner)
			require.NoError(t, err)
			back, err := again.Format()
			require.NoError(t, err)
			require.Equal(t, text, string(back))
		})
	}
}

func TestActualPortRefuses(t *testing.T) {
	for text, kind := range map[string]error{
		`<interface type='network'><source network='lan'/></interface>`:                                                                                          fs.ErrNotExist,
		`<interface type='bridge'><source bridge='br0'/></interface>`:                                                                                            fs.ErrNotExist,
		`<interface type='network'><source network='lan'/><actual type='hostdev'><source><address type='usb' bus='1' device='2'/></source></actual></interface>`: errors.ErrUnsupported,
	} {
		_, err := nic(t, text).ActualPort(network.Owner{Name: "web"})
		require.ErrorIs(t, err, kind, text)
	}
}

// TestLive tells what runs, and what was asked for.
func TestLive(t *testing.T) {
	_, _, port := onTwo(t)
	live := port.Live()
	text, err := live.Format()
	require.NoError(t, err)
	require.Equal(t, `<interface type='network'>
  <mac address='52:54:00:00:00:01'/>
  <source network='lan' portid='`+port.ID.String()+`'/>
  <actual type='network'>
    <source bridge='lan0'/>
  </actual>
  <target dev='vnet0'/>
  <model type='virtio'/>
  <alias name='ua-web'/>
</interface>
`, string(text))
	require.NoError(t, live.Validate())
	require.Nil(t, port.Interface.Actual, "what was asked for is as it was")

	p, err := live.ActualPort(network.Owner{Name: "web"})
	require.NoError(t, err)
	require.Equal(t, port.ID, p.UUID)
	require.Equal(t, "lan0", p.Plug.Bridge.String())
}
