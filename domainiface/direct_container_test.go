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

// box is a container with a namespace.
var box = domainiface.Guest{Name: "box", Namespace: "/run/netns/box"}

// withBox opens a manager on a machine with cards and the container's namespace.
func withBox(t *testing.T, networks ...string) (*hosttest.Machine, *network.Manager, network.Store) {
	t.Helper()
	m, nets, store := onCards(t, networks...)
	m.AddNamespace(box.Namespace)
	return m, nets, store
}

func TestAttachDirectContainer(t *testing.T) {
	const in = " netns /run/netns/box address 52:54:00:00:00:01"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"vepa, as nothing else is said": {
			`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0'/></interface>`,
			[]string{"link add link eth0 name eth0" + in + " type macvlan mode vepa"},
		},
		"everything": {
			`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth1' mode='bridge'/><target dev='web%d'/><guest dev='lan0'/><mtu size='1400'/></interface>`,
			[]string{"link add link eth1 name lan0" + in + " mtu 1400 type macvlan mode bridge", "link set eth1 up for good"},
		},
		"a card for itself": {
			`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth1' mode='passthrough'/></interface>`,
			[]string{"link add link eth1 name eth0" + in + " type macvlan mode passthru (eth1 was 02:00:00:00:00:02)", "link set eth1 up"},
		},
		"a card for itself, with filters that are trusted": {
			`<interface type='direct' trustGuestRxFilters='yes'><mac address='52:54:00:00:00:01'/><source dev='eth1' mode='passthrough'/></interface>`,
			[]string{"link add link eth1 name eth0" + in + " type macvlan mode passthru nopromisc (eth1 was 02:00:00:00:00:02)", "link set eth1 up"},
		},
		"a network's card": {
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='shared'/></interface>`,
			[]string{"link add link eth0 name eth0" + in + " type macvlan mode private"},
		},
		"a network's card for itself": {
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='whole'/></interface>`,
			[]string{"link add link eth1 name eth0" + in + " type macvlan mode passthru (eth1 was 02:00:00:00:00:02)", "link set eth1 up"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, store := withBox(t, shared, whole)
			before := m.String()
			port, err := domainiface.Attach(t.Context(), nets, box, nic(t, c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, lines(port.Built))
			require.Empty(t, port.Link)
			_, err = port.Open(t.Context(), 1)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorIs(t, port.Receive(t.Context(), domainiface.Reception{}), errors.ErrUnsupported)
			_, err = domainiface.Attach(t.Context(), nets, box, nic(t, c.text))
			require.Error(t, err, "the name is taken there")

			// The next program finds it and takes it away.
			nets, err = network.Open(t.Context(), m, store)
			require.NoError(t, err)
			again, err := domainiface.Lookup(t.Context(), nets, port.Network, port.ID)
			require.NoError(t, err)
			require.Equal(t, port.Built, again.Built)
			drifts, err := nets.Check(t.Context())
			require.NoError(t, err)
			require.Empty(t, drifts)
			require.NoError(t, again.Detach(t.Context()))
			if strings.Contains(strings.Join(c.want, "\n"), "for good") {
				require.NoError(t, m.Do(t.Context(), host.SetDown{Link: "eth1"}))
			}
			require.Equal(t, before, m.String())
		})
	}
}

// TestDirectContainerAtomic fails at every step, after which a card that the container was to have for itself is as it was.
func TestDirectContainerAtomic(t *testing.T) {
	m, nets, _ := withBox(t)
	require.Equal(t, 2, atomic(t, m, nets, box, `<interface type='direct'><source dev='eth1' mode='passthrough'/></interface>`))
}

// TestDirectContainerRenames has a container call its device as it likes, which is its affair, and go with it.
func TestDirectContainerRenames(t *testing.T) {
	m, nets, _ := withBox(t)
	before := m.String()
	port, err := domainiface.Attach(t.Context(), nets, box, nic(t, `<interface type='direct'><source dev='eth0' mode='passthrough'/></interface>`))
	require.NoError(t, err)
	require.NoError(t, m.RenameGuest(box.Namespace, "eth0", "lan0"))
	drifts, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, drifts)
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, before, m.String())
}

// TestDirectContainerEnds tells of a container that has ended, and gives its card to the next.
func TestDirectContainerEnds(t *testing.T) {
	m, nets, store := withBox(t, whole)
	text := `<interface type='network'><source network='whole'/></interface>`
	port, err := domainiface.Attach(t.Context(), nets, box, nic(t, text))
	require.NoError(t, err)
	require.NoError(t, m.DelNamespace(box.Namespace))
	drifts, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, drifts, 1)
	require.Equal(t, "eth0 in /run/netns/box", drifts[0].Lost)
	require.Empty(t, drifts[0].Repair)
	next := domainiface.Guest{Name: "next", Namespace: "/run/netns/next"}
	m.AddNamespace(next.Namespace)
	_, err = domainiface.Attach(t.Context(), nets, next, nic(t, text))
	require.ErrorIs(t, err, network.ErrFull)
	require.NoError(t, port.Detach(t.Context()))
	_, err = domainiface.Attach(t.Context(), nets, next, nic(t, text))
	require.NoError(t, err)

	// Whoever comes next does not make the device again for a container that has ended in the meantime.
	require.NoError(t, m.DelNamespace(next.Namespace))
	nets, err = network.Open(t.Context(), m, store)
	require.NoError(t, err)
	for p, err := range nets.Ports(t.Context(), "whole") {
		require.NoError(t, err)
		t.Errorf("port %s is left", p.Port.UUID)
	}
}

// TestUpdateDirectContainer changes nothing of a container's device.
func TestUpdateDirectContainer(t *testing.T) {
	m, nets, _ := withBox(t)
	port, err := domainiface.Attach(t.Context(), nets, box, nic(t, `<interface type='direct'><source dev='eth1' mode='passthrough'/></interface>`))
	require.NoError(t, err)
	now := m.String()
	require.ErrorIs(t, port.SetBandwidth(t.Context(), &qos.Rate{Average: schema.Num(1000)}, nil), errors.ErrUnsupported)
	require.NoError(t, port.Update(t.Context(), nic(t, `<interface type='direct'><source dev='eth1' mode='passthrough'/><link state='down'/></interface>`)))
	for _, other := range []string{
		`<interface type='direct'><source dev='eth1' mode='private'/></interface>`,
		`<interface type='direct'><source dev='eth0' mode='passthrough'/></interface>`,
		`<interface type='direct' trustGuestRxFilters='yes'><source dev='eth1' mode='passthrough'/></interface>`,
	} {
		require.ErrorIs(t, port.Update(t.Context(), nic(t, other)), errors.ErrUnsupported, other)
	}
	require.Equal(t, now, m.String())
}
