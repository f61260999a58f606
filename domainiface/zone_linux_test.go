// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// A zoned is a world with firewalld on its host, whose uplink is in firewalld's default zone, and a guest on a network.
type zoned struct {
	*world
	firewalld *testenv.Firewalld
	guest     *guest
}

// strictZone lets guests ask the host one thing only. likeLibvirt is what libvirt brings: guests may go anywhere, and ask the
// host for names, addresses and files only.
const (
	strictZone  = `<zone><port port="7" protocol="udp"/></zone>`
	likeLibvirt = `<zone target="ACCEPT"><protocol value="icmp"/><service name="dns"/><service name="dhcp"/><rule priority="32767"><reject/></rule></zone>`
)

const zoneDocument = `<network><name>lan</name><forward mode='nat'/><bridge name='lan0' stp='off' %s/>
<mac address='52:54:00:00:00:01'/><ip address='10.88.0.1' prefix='24'/></network>`

func newZoned(t *testing.T, zones map[string]string, attributes string) *zoned {
	bus := testenv.NewBus(t, "")
	w := &zoned{world: newWorldOn(t, bus, nil)}
	w.firewalld = w.host.NewFirewalld(t, bus, zones)
	w.ip(w.host, "route add default via 203.0.113.2")
	live := w.start(fmt.Sprintf(zoneDocument, attributes))
	w.guest = w.attach("guest", `<interface type='network'><source network='lan'/></interface>`)
	w.configure(w.guest, live)
	for _, n := range []*testenv.Namespace{w.host, w.outside} {
		require.NoError(t, lab.Echo(t.Context(), n.Path()))
	}
	return w
}

// passes wants what a guest gets to be exactly these: "outside" and, from the host itself, "tcp", "udp" and "icmp".
func (w *zoned) passes(when string, what ...string) {
	w.t.Helper()
	got := []string{}
	for _, p := range []struct {
		name, to string
		how      lab.Protocol
	}{
		{"outside", "203.0.113.2", lab.UDP}, {"tcp", "10.88.0.1", lab.TCP}, {"udp", "10.88.0.1", lab.UDP}, {"icmp", "10.88.0.1", lab.ICMP},
	} {
		err := lab.Probe(w.t.Context(), w.guest.Path(), p.how, netip.MustParseAddr(p.to))
		if err == nil {
			got = append(got, p.name)
		} else {
			require.ErrorIs(w.t, err, lab.ErrRejected, "%s: %s", when, p.name)
		}
	}
	require.Equal(w.t, what, got, when)
}

// barred are the rules that are said to stop packets of the network from the guests to the outside.
func (w *zoned) barred() (rules []string) {
	w.t.Helper()
	s, err := w.nets.Lookup(w.t.Context(), "lan")
	require.NoError(w.t, err)
	fw, err := w.nets.Backend().(host.FirewallReader).Firewall(w.t.Context())
	require.NoError(w.t, err)
	f, err := w.nets.Backend().Facts(w.t.Context(), host.Scope{Routes: true})
	require.NoError(w.t, err)
	for _, b := range network.Barriers(s.Live, f, fw) {
		if b.Traffic == network.Outbound && b.Sure != network.Perhaps {
			rules = append(rules, b.Chain+": "+b.Rule)
		}
	}
	return rules
}

// update gives the bridge other attributes.
func (w *zoned) update(attributes string) {
	w.t.Helper()
	document, err := network.Parse(strings.NewReader(fmt.Sprintf(zoneDocument, attributes)))
	require.NoError(w.t, err)
	_, err = w.nets.Update(w.t.Context(), "lan", network.UpdateRequest{Live: true, Document: document, Disruptive: true})
	require.NoError(w.t, err)
}

func (w *zoned) repair() {
	w.t.Helper()
	_, err := w.nets.Repair(w.t.Context(), network.RepairRequest{})
	require.NoError(w.t, err)
}

func (w *zoned) drift() string {
	w.t.Helper()
	found, err := w.nets.Check(w.t.Context())
	require.NoError(w.t, err)
	var all strings.Builder
	for _, d := range found {
		all.WriteString(d.Missing.String())
	}
	return all.String()
}

// TestZonePackets has a real firewalld filter what guests send, by the zone that their network is in, and lose the zone in
// the ways it does.
func TestZonePackets(t *testing.T) {
	t.Parallel()
	w := newZoned(t, map[string]string{"strict": strictZone}, "zone='strict'")
	w.passes("in zone strict", "udp", "icmp")
	require.NotEmpty(t, w.barred())
	require.Contains(t, w.barred()[0], "inet firewalld filter_F")

	w.update("zone='trusted'")
	w.passes("in zone trusted", "outside", "tcp", "udp", "icmp")
	require.Empty(t, w.barred())

	ours := w.host.Output(t, "nft", "list", "table", "inet", "virtnet")
	w.firewalld.Reload(t)
	require.Equal(t, countless(ours), countless(w.host.Output(t, "nft", "list", "table", "inet", "virtnet")), "firewalld leaves our rules alone")
	require.Contains(t, w.drift(), "zone trusted interface lan0", "it forgets what it was told")
	w.passes("in no zone", "icmp")
	require.NotEmpty(t, w.barred())
	w.repair()
	w.passes("in zone trusted again", "outside", "tcp", "udp", "icmp")
	require.Empty(t, w.drift())

	w.firewalld.Command(t, "--zone=drop", "--change-interface=lan0")
	require.Contains(t, w.drift(), "zone trusted interface lan0")
	w.repair()
	w.passes("out of zone drop", "outside", "tcp", "udp", "icmp")

	w.firewalld.Stop()
	require.Contains(t, w.drift(), "zone trusted interface lan0")
	w.firewalld.Start(t)
	require.Contains(t, w.drift(), "zone trusted interface lan0")
	w.repair()
	w.passes("after a new start", "outside", "tcp", "udp", "icmp")

	other, err := network.Parse(strings.NewReader(`<network><name>other</name><bridge name='other0' zone='strict'/></network>`))
	require.NoError(t, err)
	require.NoError(t, w.nets.Create(t.Context(), other))
	require.Equal(t, "strict", strings.TrimSpace(w.firewalld.Command(t, "--get-zone-of-interface=other0")))
	require.NoError(t, w.nets.Stop(t.Context(), "other"))
	require.NotContains(t, w.firewalld.Command(t, "--get-active-zones"), "other0")
}

// countless is a ruleset without its counters.
func countless(rules string) string {
	var lines []string
	for line := range strings.Lines(rules) {
		before, after, ok := strings.Cut(line, "counter packets ")
		if ok {
			words := strings.SplitN(after, " ", 4)
			line = before + words[len(words)-1]
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

// TestZoneDefault has the zone that libvirt brings come and go under a network that names none.
func TestZoneDefault(t *testing.T) {
	t.Parallel()
	w := newZoned(t, nil, "")
	w.passes("in no zone", "icmp")
	require.NotEmpty(t, w.barred())
	require.Empty(t, w.drift(), "nobody demanded a zone")

	w.firewalld.SetZone(t, "libvirt", likeLibvirt)
	w.firewalld.Reload(t)
	w.update("")
	w.passes("in zone libvirt", "outside", "icmp")
	require.Empty(t, w.barred())
	w.firewalld.Stop()
	require.Empty(t, w.drift(), "nobody demanded firewalld")
	w.firewalld.Start(t)
	require.Contains(t, w.drift(), "zone libvirt interface lan0")

	// Who heals hears of a firewalld that comes, and that forgets.
	events := make(chan network.Event, 100)
	go func() {
		for e, err := range w.nets.Heal(t.Context(), network.Healing{FirstDelay: time.Millisecond, MaxDelay: time.Millisecond, Every: time.Hour}) {
			if err == nil && e.Kind == network.EventRepaired {
				events <- e
			}
		}
	}()
	healed := func(when string) {
		t.Helper()
		select {
		case <-events:
		case <-time.After(30 * time.Second):
			t.Fatalf("not repaired %s", when)
		}
		w.passes("healed "+when, "outside", "icmp")
	}
	healed("when watching began")
	w.firewalld.Reload(t)
	healed("after it was loaded anew")
	w.firewalld.Stop()
	w.firewalld.Start(t)
	healed("after it was started again")
}
