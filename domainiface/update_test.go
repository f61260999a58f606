// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// onTwo is a machine with the networks lan and wan and the bridge br0, and a guest on lan.
func onTwo(t *testing.T) (*hosttest.Machine, *network.Manager, *domainiface.Port) {
	t.Helper()
	m, nets := onLAN(t)
	n, err := network.Parse(strings.NewReader(`<network><name>wan</name><bridge name='wan0' stp='off'/><ip address='10.1.2.1' prefix='24'/></network>`))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	require.NoError(t, m.Do(t.Context(), host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 0, 9}}))
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"},
		nic(t, `<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/><model type='virtio'/><alias name='ua-web'/></interface>`))
	require.NoError(t, err)
	return m, nets, port
}

// since are the operations that a machine has done since it had done that many.
func since(m *hosttest.Machine, n int) []string {
	var done []string
	for _, op := range m.Log()[n:] {
		done = append(done, op.String())
	}
	return done
}

func TestUpdate(t *testing.T) {
	const mac, model = "<mac address='52:54:00:00:00:01'/>", "<model type='virtio'/>"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":      {`<interface type='network'><source network='lan'/>` + model + `</interface>`, nil},
		"with its mac": {`<interface type='network'>` + mac + `<source network='lan'/>` + model + `</interface>`, nil},
		"link state":   {`<interface type='network'><source network='lan'/>` + model + `<link state='down'/></interface>`, nil},
		"isolated": {`<interface type='network'><source network='lan'/><port isolated='yes'/>` + model + `</interface>`,
			[]string{"link set vnet0 master lan0 isolated on (was master lan0)"}},
		"other network": {`<interface type='network'><source network='wan'/>` + model + `</interface>`,
			[]string{"link set vnet0 master wan0 (was master lan0)"}},
		"bridge of the host": {`<interface type='bridge'><source bridge='br0'/>` + model + `</interface>`,
			[]string{"link set vnet0 master br0 (was master lan0)"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, port := onTwo(t)
			first := *port
			before := len(m.Log())
			require.NoError(t, port.Update(t.Context(), nic(t, c.text)))
			require.Equal(t, c.want, since(m, before))
			require.Equal(t, first.ID, port.ID)
			require.Equal(t, first.MAC, port.MAC)
			require.Equal(t, "ua-web", port.Interface.Alias.Name.String(), "what is left open stays")

			again, err := domainiface.Lookup(t.Context(), nets, port.Network, port.ID)
			require.NoError(t, err)
			require.Equal(t, port.Built, again.Built)
			if first.Network != port.Network {
				_, err := domainiface.Lookup(t.Context(), nets, first.Network, port.ID)
				require.ErrorIs(t, err, fs.ErrNotExist)
			}
			require.NoError(t, port.Detach(t.Context()))
			require.NotContains(t, m.String(), "vnet0")
		})
	}
}

func TestUpdateRefuses(t *testing.T) {
	const model = "<model type='virtio'/>"
	for name, c := range map[string]struct{ text, want string }{
		"mac":       {`<interface type='network'><mac address='52:54:00:00:00:02'/><source network='lan'/>` + model + `</interface>`, "/interface/mac"},
		"model":     {`<interface type='network'><source network='lan'/><model type='e1000'/></interface>`, "/interface/model"},
		"no model":  {`<interface type='network'><source network='lan'/></interface>`, "/interface/model"},
		"target":    {`<interface type='network'><source network='lan'/><target dev='tap7'/>` + model + `</interface>`, "/interface/target"},
		"mtu":       {`<interface type='network'><source network='lan'/>` + model + `<mtu size='1300'/></interface>`, "/interface/mtu"},
		"alias":     {`<interface type='network'><source network='lan'/>` + model + `<alias name='ua-other'/></interface>`, "/interface/alias"},
		"teaming":   {`<interface type='network'><source network='lan'/>` + model + `<teaming type='persistent'/></interface>`, "/interface/teaming"},
		"guest ip":  {`<interface type='network'><source network='lan'/>` + model + `<ip address='192.0.2.1'/></interface>`, "/interface/ip"},
		"boot":      {`<interface type='network'><source network='lan'/>` + model + `<boot order='1'/></interface>`, "/interface/boot"},
		"direct":    {`<interface type='direct'><source dev='eth0'/>` + model + `</interface>`, "/interface: the device of the guest"},
		"portgroup": {`<interface type='network'><source network='lan' portgroup='a'/>` + model + `</interface>`, "/interface/source/@portgroup"},
	} {
		t.Run(name, func(t *testing.T) {
			m, _, port := onTwo(t)
			first, before := *port, m.String()
			err := port.Update(t.Context(), nic(t, c.text))
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, before, m.String())
			require.Equal(t, first, *port)
		})
	}
	_, nets, _ := onTwo(t)
	s, err := nets.CreatePort(t.Context(), network.PortRequest{
		Network: "lan", Port: &network.Port{Owner: &network.Owner{Name: "web"}, MAC: &network.MAC{}},
	})
	require.NoError(t, err)
	bare, err := domainiface.Lookup(t.Context(), nets, "lan", s.Port.UUID)
	require.NoError(t, err)
	require.ErrorIs(t, bare.Update(t.Context(), nic(t, `<interface type='network'><source network='lan'/></interface>`)), errors.ErrUnsupported)
	require.ErrorIs(t, bare.SetBandwidth(t.Context(), nil, nil), errors.ErrUnsupported)
}

// TestUpdateAtomic breaks each operation of an update, and each way back from there.
func TestUpdateAtomic(t *testing.T) {
	broken := errors.New("broken")
	elsewhere := `<interface type='network'><source network='wan'/><port isolated='yes'/><model type='virtio'/></interface>`
	for at := 0; ; at++ {
		m, nets, port := onTwo(t)
		before, n := m.String(), 0
		m.Fail = func(host.Op) error {
			if n++; n == at+1 {
				return broken
			}
			return nil
		}
		err := port.Update(t.Context(), nic(t, elsewhere))
		if err == nil {
			require.Positive(t, at)
			return
		}
		require.ErrorIs(t, err, broken)
		require.Equal(t, before, m.String())
		require.Equal(t, "lan", port.Network)
		m.Fail = nil
		again, err := domainiface.Lookup(t.Context(), nets, "lan", port.ID)
		require.NoError(t, err)
		require.Equal(t, port.Built, again.Built)
		_, err = domainiface.Lookup(t.Context(), nets, "wan", port.ID)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, again.Update(t.Context(), nic(t, elsewhere)), "and it may be tried again")
	}
}

func TestMatch(t *testing.T) {
	var all []*domainiface.Interface
	for _, text := range []string{
		`<mac address='52:54:00:00:00:01'/><alias name='ua-a'/>`,
		`<mac address='52:54:00:00:00:02'/><alias name='ua-b'/><address type='pci' bus='1' slot='2'/>`,
		`<mac address='52:54:00:00:00:02'/><alias name='ua-c'/>`,
	} {
		all = append(all, nic(t, `<interface type='bridge'><source bridge='br0'/>`+text+`</interface>`))
	}
	for want, at := range map[string]int{
		`<mac address='52:54:00:00:00:01'/>`:                                         0,
		`<alias name='ua-c'/>`:                                                       2,
		`<mac address='52:54:00:00:00:02'/><alias name='ua-b'/>`:                     1,
		`<mac address='52:54:00:00:00:02'/><address type='pci' bus='0x1' slot='2'/>`: 1,
		`<mac address='52:54:00:00:00:02'/>`:                                         -2,
		``:                                                                           -2,
		`<mac address='52:54:00:00:00:03'/>`:                                         -1,
		`<mac address='52:54:00:00:00:01'/><alias name='ua-b'/>`:                     -1,
		`<alias name='ua-a'/><address type='pci' bus='1' slot='2'/>`:                 -1,
		`<mac address='52:54:00:00:00:02'/><address type='ccw' cssid='254' devno='0x1'/>`: -1,
	} {
		got, err := domainiface.Match(all, nic(t, `<interface type='bridge'><source bridge='br9'/>`+want+`</interface>`))
		switch at {
		case -1:
			require.ErrorIs(t, err, fs.ErrNotExist, want)
		case -2:
			require.ErrorIs(t, err, fs.ErrInvalid, want)
		default:
			require.NoError(t, err, want)
			require.Equal(t, at, got, want)
		}
	}
	require.Equal(t, 3, len(slices.Clip(all)))
}

// runAs is a guest on a network with limits, by the rules.
func runAs(t *testing.T, rules schema.Rules, text string) *domainiface.Port {
	t.Helper()
	nets, err := network.Config{Rules: rules}.Open(t.Context(), hosttest.New("eth0"), network.Memory())
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(`<network><name>lan</name><bridge name='lan0' stp='off'/><bandwidth><inbound average='1000' peak='5000'/></bandwidth>` +
		`<portgroup name='slow'><bandwidth><inbound average='100'/><outbound average='50' peak='60'/></bandwidth></portgroup><ip address='10.1.1.1' prefix='24'/></network>`))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	guest := domainiface.Guest{Name: "web"}
	require.NoError(t, guest.UUID.UnmarshalText([]byte("0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9")))
	port, err := domainiface.Attach(t.Context(), nets, guest, nic(t, text))
	require.NoError(t, err)
	return port
}

func TestUpdateKeepsMAC(t *testing.T) {
	const text = `<interface type='network'><source network='lan'/></interface>`
	port := runAs(t, schema.Rules{}, text)
	require.NoError(t, port.Update(t.Context(), nic(t, text)))
	for _, rules := range []schema.Rules{{Compat: true}, {Allow: []schema.Deviation{domainiface.UpdateKeepsMAC}}} {
		port := runAs(t, rules, text)
		require.ErrorIs(t, port.Update(t.Context(), nic(t, text)), errors.ErrUnsupported)
		require.NoError(t, port.Update(t.Context(), nic(t, `<interface type='network'><mac address='`+port.MAC.String()+`'/><source network='lan'/></interface>`)))
	}
}

func TestUpdateCompares(t *testing.T) {
	const text = `<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/>%s</interface>`
	for _, more := range []string{
		"<teaming type='persistent'/>", "<ip address='192.0.2.1'/>", "<route address='0.0.0.0' gateway='192.0.2.1'/>", "<downscript path='/bin/true'/>",
		"<backenddomain name='serves'/>", "<guest dev='eth7'/>",
	} {
		next := nic(t, strings.Replace(text, "%s", more, 1))
		port := runAs(t, schema.Rules{}, strings.Replace(text, "%s", "", 1))
		require.ErrorIs(t, port.Update(t.Context(), next), errors.ErrUnsupported, more)
		for _, rules := range []schema.Rules{{Compat: true}, {Allow: []schema.Deviation{domainiface.UpdateCompares}}} {
			port := runAs(t, rules, strings.Replace(text, "%s", "", 1))
			built := port.Built
			require.NoError(t, port.Update(t.Context(), next), more)
			require.Equal(t, built, port.Built)
		}
	}
}

// TestUpdateResolved limits one direction where the other has its limits from a port group.
func TestUpdateResolved(t *testing.T) {
	port := runAs(t, schema.Rules{}, `<interface type='network'><source network='lan' portgroup='slow'/></interface>`)
	require.NoError(t, port.SetBandwidth(t.Context(), &qos.Rate{Average: schema.Num(400), Floor: schema.Num(300)}, nil))
	b := port.Document.Bandwidth
	require.EqualValues(t, 400, b.Inbound.Average.Uint())
	require.EqualValues(t, 300, b.Inbound.Floor.Uint())
	require.EqualValues(t, 3, b.ClassID.Uint())
	require.EqualValues(t, 50, b.Outbound.Average.Uint())
	require.EqualValues(t, 60, b.Outbound.Peak.Uint())

	require.NoError(t, port.SetBandwidth(t.Context(), &qos.Rate{}, nil))
	b = port.Document.Bandwidth
	require.Nil(t, b.Inbound)
	require.EqualValues(t, 50, b.Outbound.Average.Uint())
	require.Zero(t, b.ClassID.Uint())

	require.ErrorIs(t, port.SetBandwidth(t.Context(), &qos.Rate{Average: schema.Num(9999), Floor: schema.Num(5001)}, nil), network.ErrFull)
	require.Equal(t, b, port.Document.Bandwidth, "and nothing has changed")
}
