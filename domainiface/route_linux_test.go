// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
)

// TestStaticRoutes sends packets to what lies behind a guest, by routes of both families, whose metric decides between them and
// others of the host.
func TestStaticRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live := w.start(`<network><name>lan</name><forward mode='open'/><bridge name='lan0' stp='off'/>
<ip address='10.88.0.1' prefix='24'/><ip family='ipv6' address='2001:db8:88::1' prefix='64'/>
<route address='10.77.0.0' prefix='16' gateway='10.88.0.100' metric='5'/>
<route family='ipv6' address='2001:db8:77::' prefix='64' gateway='2001:db8:88::64' metric='5'/></network>`)
	g := w.attach("guest", `<interface type='network'><source network='lan'/></interface>`)
	w.configure(g, live)
	w.ip(g.Namespace, "addr add 10.77.0.1/32 dev lo", "addr add 2001:db8:77::1/128 dev lo")
	behind := []string{"10.77.0.1", "2001:db8:77::1"}
	for _, addr := range behind {
		for name, from := range map[string]*testenv.Namespace{"host": w.host, "outside": w.outside} {
			require.NoError(t, ping(t, from, 10*time.Second, addr), "%s from %s", addr, name)
		}
	}
	other := func(verb, metric string) {
		w.ip(w.host, "route "+verb+" unreachable 10.77.0.0/16 metric "+metric, "-6 route "+verb+" unreachable 2001:db8:77::/64 metric "+metric)
	}
	other("add", "9")
	for _, addr := range behind {
		require.NoError(t, ping(t, w.host, 10*time.Second, addr), "ours is preferred")
	}
	other("add", "4")
	for _, addr := range behind {
		require.Error(t, ping(t, w.host, 700*time.Millisecond, addr), "the other is preferred")
	}
}

// ping waits that long for an answer of the address itself, which a socket with all addresses would not give.
func ping(t *testing.T, from *testenv.Namespace, wait time.Duration, to string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	return lab.Probe(ctx, from.Path(), lab.ICMP, netip.MustParseAddr(to))
}

// TestForwardDelay has a bridge with the spanning tree protocol listen and learn, twice its delay, before a guest is heard, and
// one without it hear a guest at once.
func TestForwardDelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, lab.Echo(t.Context(), w.host.Path()))
	for _, c := range []struct {
		name, bridge, gateway string
		least, most           time.Duration
	}{
		{"slow", `<bridge name='slow0' stp='on' delay='2'/>`, "10.88.0.1", 3500 * time.Millisecond, 30 * time.Second},
		{"fast", `<bridge name='fast0' stp='off' delay='9'/>`, "10.88.1.1", 0, 3500 * time.Millisecond},
	} {
		live := w.start(`<network><name>` + c.name + `</name>` + c.bridge + `<ip address='` + c.gateway + `' prefix='24'/></network>`)
		began := time.Now()
		g := w.attach(c.name, `<interface type='network'><source network='`+c.name+`'/></interface>`)
		w.configure(g, live)
		testenv.WaitFor(t, c.most, "guest on bridge "+c.name, func() bool { return ask(t, g.Namespace, 300*time.Millisecond, c.gateway) == nil })
		require.GreaterOrEqual(t, time.Since(began), c.least, c.name)
	}
}
