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
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

const (
	throughSwitch = `<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0' mode='vepa'/></interface>`
	vepaNetwork   = `<network><name>lan</name><forward mode='vepa'><interface dev='eth0.2'/></forward></network>`
)

// TestVEPAPolicy attaches guests at switches that reflect and at others, to a card and to a VLAN device of a network.
func TestVEPAPolicy(t *testing.T) {
	for _, c := range []struct {
		policy network.VEPAPolicy
		relay  host.Relay
		// want is the mode, and note what is said; a mode of nothing is refused.
		want, note string
	}{
		{network.VEPATrust, host.RelayNo, "vepa", ""},
		{network.VEPATrust, host.RelayUnknown, "vepa", ""},
		{network.VEPAWarn, host.RelayYes, "vepa", ""},
		{network.VEPAWarn, host.RelayNo, "vepa", "the switch at DEV does not reflect"},
		{network.VEPAWarn, host.RelayUnknown, "vepa", "the switch at DEV is not known to reflect"},
		{network.VEPAWarn, host.RelayPossible, "vepa", "the switch at DEV reflects only while a station asks it to"},
		{network.VEPARefuse, host.RelayYes, "vepa", ""},
		{network.VEPARefuse, host.RelayUnknown, "", "/interface/source/@mode: the switch at DEV is not known to reflect, as mode vepa needs it to: unsupported operation"},
		{network.VEPARefuse, host.RelayNo, "", "/interface/source/@mode: the switch at DEV does not reflect, as mode vepa needs it to: unsupported operation"},
		{network.VEPAFallBack, host.RelayYes, "vepa", ""},
		{network.VEPAFallBack, host.RelayNo, "bridge", "mode bridge in place of vepa: the switch at DEV does not reflect"},
	} {
		for dev, text := range map[string]string{
			"eth0": throughSwitch, "eth0.2": `<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/></interface>`,
		} {
			t.Run(c.policy.String()+" "+c.relay.String()+" "+dev, func(t *testing.T) {
				m := hosttest.New("eth0")
				require.NoError(t, m.AddVLAN("eth0.2", "eth0", 2))
				require.NoError(t, m.SetSwitch(host.Switch{Link: "eth0", Relay: c.relay}))
				nets, err := network.Config{VEPA: c.policy}.Open(t.Context(), m, network.Memory())
				require.NoError(t, err)
				lan, err := network.Parse(strings.NewReader(vepaNetwork))
				require.NoError(t, err)
				require.NoError(t, nets.Create(t.Context(), lan))
				before := m.String()
				port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, text))
				note := strings.ReplaceAll(c.note, "DEV", dev)
				if c.want == "" {
					require.EqualError(t, err, note)
					require.ErrorIs(t, err, errors.ErrUnsupported)
					require.Equal(t, before, m.String())
					return
				}
				require.NoError(t, err)
				require.Equal(t, c.want, port.Built[0].Op.(host.AddMacvtap).Mode)
				require.Equal(t, note, port.Built[0].Note)
				kept, err := domainiface.Lookup(t.Context(), nets, port.Network, port.ID)
				require.NoError(t, err)
				require.Equal(t, note, kept.Built[0].Note)
			})
		}
	}
}

// TestPrivateIsWarned tells in the plan that a switch which reflects leads from guest to guest, as mode private is to keep it
// from.
func TestPrivateIsWarned(t *testing.T) {
	const warning = "the switch at eth0 reflects: guests in mode private reach each other through it"
	for relay, want := range map[host.Relay]string{host.RelayYes: warning, host.RelayNo: "", host.RelayPossible: "", host.RelayUnknown: ""} {
		for _, mode := range []string{"private", "bridge", "vepa", "passthrough"} {
			m, nets, _ := withBox(t)
			require.NoError(t, m.SetSwitch(host.Switch{Link: "eth0", Relay: relay}))
			for _, guest := range []domainiface.Guest{{Name: "web"}, box} {
				port, err := domainiface.Attach(t.Context(), nets, guest, nic(t, `<interface type='direct'><source dev='eth0' mode='`+mode+`'/></interface>`))
				require.NoError(t, err)
				if mode != "private" {
					want = ""
				}
				require.Equal(t, want, port.Built[0].Note, "%s, mode %s", relay, mode)
				require.NoError(t, port.Detach(t.Context()))
			}
			want = map[bool]string{true: warning}[relay == host.RelayYes]
		}
	}
}

// TestVEPAPolicyIsTold finds out that a switch reflects which does not say so, and another one does not.
func TestVEPAPolicyIsTold(t *testing.T) {
	m := hosttest.New("eth0", "eth1")
	require.NoError(t, m.SetReflecting("eth0", true))
	nets, err := network.Config{VEPA: network.VEPARefuse}.Open(t.Context(), m, network.Memory())
	require.NoError(t, err)
	attach := func(dev string) error {
		_, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, strings.Replace(throughSwitch, "eth0", dev, 1)))
		return err
	}
	require.ErrorContains(t, attach("eth0"), "the switch at eth0 is not known to reflect")
	for dev, want := range map[string]host.Relay{"eth0": host.RelayYes, "eth1": host.RelayNo} {
		got, err := m.ProbeRelay(t.Context(), dev)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.ErrorContains(t, attach("eth1"), "the switch at eth1 does not reflect")
	require.NoError(t, attach("eth0"))
}

// TestVEPAPolicyIsAskedOnce changes limits of guests after their switch has changed its mind, which moves nobody.
func TestVEPAPolicyIsAskedOnce(t *testing.T) {
	for _, policy := range []network.VEPAPolicy{network.VEPAFallBack, network.VEPARefuse} {
		m := hosttest.New("eth0")
		was, is := host.RelayYes, host.RelayNo
		if policy == network.VEPAFallBack {
			was, is = is, was
		}
		require.NoError(t, m.SetSwitch(host.Switch{Link: "eth0", Relay: was}))
		store := network.Memory()
		nets, err := network.Config{VEPA: policy}.Open(t.Context(), m, store)
		require.NoError(t, err)
		port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, throughSwitch))
		require.NoError(t, err)
		mode := port.Built[0].Op.(host.AddMacvtap).Mode

		require.NoError(t, m.SetSwitch(host.Switch{Link: "eth0", Relay: is}))
		nets, err = network.Open(t.Context(), m, store) // by another policy
		require.NoError(t, err)
		port, err = domainiface.Lookup(t.Context(), nets, "", port.ID)
		require.NoError(t, err)
		require.NoError(t, port.SetBandwidth(t.Context(), &qos.Rate{Average: schema.Num(1000)}, nil))
		require.Equal(t, mode, port.Built[0].Op.(host.AddMacvtap).Mode)
	}
}
