// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

const repairNetwork = `<network><name>rich</name><forward/><bridge name='br1' stp='off'/><mac address='52:54:00:00:00:01'/>
<bandwidth><inbound average='1000' peak='5000'/></bandwidth>
<ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.99'/></dhcp></ip>
<route address='10.77.0.0' prefix='16' gateway='10.9.1.9'/></network>`

const repairGuest = `<interface type='network'><mac address='52:54:00:00:00:07'/><source network='rich'/>
<bandwidth><inbound average='200' floor='100'/></bandwidth></interface>`

// A repairWorld is a namespace with a network, a guest's tap on it, and things of others.
type repairWorld struct {
	b     *linux.Backend
	ns    *testenv.Namespace
	dir   string
	nets  *network.Manager
	uuid  string
	whole string
}

func newRepairWorld(t *testing.T, change ...func(*linux.Config)) *repairWorld {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "nft")
	testenv.NeedProgram(t, "tc")
	w := &repairWorld{ns: testenv.New(t), dir: t.TempDir()}
	w.ns.Output(t, "sh", "-ec", `ip link add docker0 address 02:00:00:00:09:09 type bridge; ip addr add 172.17.0.1/16 dev docker0
		ip link add eth9 type veth peer name eth8; for l in docker0 eth8 eth9; do ip link set $l addrgenmode none; done; ip link set docker0 up; ip link set eth8 up; ip link set eth9 up; ip route add 10.55.0.0/16 dev eth9
		nft add table ip others; nft add chain ip others c '{ type filter hook forward priority 0; }'; nft add rule ip others c ip saddr 192.0.2.1 drop`)
	var err error
	config := linux.Config{Namespace: w.ns.Path(), RunDir: w.dir}
	for _, f := range change {
		f(&config)
	}
	w.b, err = linux.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.b.Close()) })
	ctx := context.Background()
	w.nets, err = network.Open(ctx, w.b, network.Memory())
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(repairNetwork))
	require.NoError(t, err)
	require.NoError(t, w.nets.Create(ctx, n))
	t.Cleanup(func() { require.NoError(t, w.nets.Stop(ctx, "rich")) })
	i, err := domainiface.Parse(strings.NewReader(repairGuest))
	require.NoError(t, err)
	p, err := domainiface.Attach(ctx, w.nets, domainiface.Guest{Name: "web"}, i)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Detach(ctx)) })
	s, err := w.nets.Lookup(ctx, "rich")
	require.NoError(t, err)
	w.uuid, w.whole = s.UUID.String(), w.look(t)
	return w
}

// numbered is what the kernel numbers as it comes.
var numbered = regexp.MustCompile(`(qdisc \w+) [0-9a-f]{4}:`)

// look is all that can be seen in the namespace.
func (w *repairWorld) look(t *testing.T) string {
	t.Helper()
	lines := strings.Split(numbered.ReplaceAllString(w.ns.Snapshot(t), "$1"), "\n")
	for i := range lines {
		if strings.HasPrefix(lines[i], "qdisc ") {
			end := i + 1
			for end < len(lines) && strings.HasPrefix(lines[end], "qdisc ") {
				end++
			}
			slices.Sort(lines[i:end])
		}
	}
	return strings.Join(lines, "\n")
}

// breaks runs a command behind the library's back.
func (w *repairWorld) breaks(t *testing.T, command string) {
	t.Helper()
	if strings.Contains(command, "PID") {
		world := watchWorld{dir: w.dir, nets: w.nets}
		command = strings.ReplaceAll(command, "PID", fmt.Sprint(world.serverPID(t, "rich")))
	}
	w.ns.Output(t, "sh", "-ec", strings.ReplaceAll(command, "UUID", w.uuid))
}

var repairBreakages = []struct{ name, command, missing string }{
	{"bridge gone", "ip link del br1", "link add br1"},
	{"address removed", "ip addr del 10.9.1.1/24 dev br1", "addr add 10.9.1.1/24"},
	{"route removed", "ip route del 10.77.0.0/16", "route add 10.77.0.0/16"},
	{"bridge down", "ip link set br1 down", "link set br1 up"},
	{"bridge changed", "ip link set br1 type bridge stp_state 1", "link add br1"},
	{"our table deleted", "nft delete table inet virtnet", "nft filter of br1"},
	{"rule deleted", `nft delete rule inet virtnet from-UUID handle $(nft -a list chain inet virtnet from-UUID | sed -n 's/.*reject.*handle //p' | head -1)`, "nft filter of br1"},
	{"rule added", "nft insert rule inet virtnet from-UUID accept", "nft filter of br1"},
	{"qdisc changed", "tc class change dev br1 parent 1: classid 1:1 htb rate 1mbit ceil 1mbit", "tc shape add br1"},
	{"qdisc gone", "tc qdisc del dev br1 root", "tc class add dev br1"},
	{"guest's qdisc gone", "tc qdisc del dev vnet0 root", "tc shape add vnet0"},
	{"dnsmasq killed", "kill -9 PID; while grep -q '^State:.*[RSD] ' /proc/PID/status 2>/dev/null; do :; done", "serve "},
	{"port off its bridge", "ip link set vnet0 nomaster", "link set vnet0 master br1"},
	{"port in another bridge", "ip link set vnet0 master docker0", "link set vnet0 master br1"},
	{"port down", "ip link set vnet0 down", "link set vnet0 up"},
	{"sysctl changed", "echo 0 >/proc/sys/net/ipv6/conf/br1/disable_ipv6", "sysctl net/ipv6/conf/br1/disable_ipv6=1"},
	{"no forwarding", "echo 0 >/proc/sys/net/ipv4/ip_forward", "ip_forward"},
}

func TestRepair(t *testing.T) {
	for _, c := range repairBreakages {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newRepairWorld(t)
			w.breaks(t, c.command)
			drift, err := w.nets.Check(t.Context())
			require.NoError(t, err)
			var missing strings.Builder
			for _, d := range drift {
				missing.WriteString(d.Missing.String())
				require.Empty(t, d.Left)
			}
			require.Contains(t, missing.String(), c.missing)
			_, err = w.nets.Repair(t.Context(), network.RepairRequest{})
			require.NoError(t, err)
			drift, err = w.nets.Check(t.Context())
			require.NoError(t, err)
			require.Empty(t, drift)
			require.Empty(t, testenv.Diff(w.whole, w.look(t)), "what is others' is as they had it")
		})
	}
}

func TestHeal(t *testing.T) {
	for _, c := range repairBreakages {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newRepairWorld(t)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			mended := false
			for e, err := range w.nets.Heal(ctx, network.Healing{Every: time.Second}) {
				if err != nil {
					// It may be faster than the kernel, which is still clearing up behind the server, or have looked while something
					// was being broken; then it tries again.
					if !errors.Is(err, fs.ErrNotExist) {
						require.ErrorContains(t, err, "Address already in use")
					}
					continue
				}
				switch e.Kind {
				case network.EventWatching:
					w.breaks(t, c.command)
				case network.EventDriftMended:
					drift, err := w.nets.Check(ctx)
					require.NoError(t, err)
					mended = len(drift) == 0
				}
				if mended {
					break
				}
			}
			require.True(t, mended, "it was not mended in time")
			require.Empty(t, testenv.Diff(w.whole, w.look(t)))
		})
	}
}

// A queueing discipline that somebody else has put in the place of ours stays, and is named.
func TestRepairLeavesForeignQueues(t *testing.T) {
	t.Parallel()
	w := newRepairWorld(t)
	w.ns.Output(t, "tc", "qdisc", "replace", "dev", "br1", "root", "pfifo_fast")
	w.ns.Output(t, "nft", "delete", "table", "inet", "virtnet")
	drift, err := w.nets.Repair(t.Context(), network.RepairRequest{Network: "rich"})
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "link br1 has a queueing discipline of somebody else, pfifo_fast")
	require.Len(t, drift, 2)
	require.Contains(t, w.ns.Output(t, "nft", "list", "ruleset"), "table inet virtnet", "the rest is repaired")
	w.ns.Output(t, "tc", "qdisc", "del", "dev", "br1", "root")
	_, err = w.nets.Repair(t.Context(), network.RepairRequest{Network: "rich"})
	require.NoError(t, err)
	require.Empty(t, testenv.Diff(w.whole, w.look(t)))
}

// A guest gets its address from a network whose bridge was made again.
func TestRepairedBridgeServes(t *testing.T) {
	t.Parallel()
	t.Run("dnsmasq", func(t *testing.T) { testRepairedBridgeServes(t, newRepairWorld(t)) })
	t.Run("in process", func(t *testing.T) { testRepairedBridgeServes(t, newRepairWorld(t, inProcess)) })
}

func testRepairedBridgeServes(t *testing.T, w *repairWorld) {
	g := testenv.New(t)
	testenv.Connect(t, w.ns, g, "port7", "eth0")
	g.Output(t, "ip", "link", "set", "eth0", "address", "52:54:00:00:00:77")
	g.Output(t, "ip", "addr", "add", "fe80::1234/64", "dev", "eth0", "nodad")
	w.ns.Output(t, "ip", "link", "set", "port7", "master", "br1")
	first := lease(t, g, dhcpclient.Options{Hostname: "web"})
	w.ns.Output(t, "ip", "link", "del", "br1")
	_, err := w.nets.Repair(t.Context(), network.RepairRequest{})
	require.NoError(t, err)
	w.ns.Output(t, "ip", "link", "set", "port7", "master", "br1") // one that the library does not know
	require.Equal(t, first.Addr, lease(t, g, dhcpclient.Options{Hostname: "web"}).Addr)
	leases, err := w.b.Leases(t.Context(), w.uuid)
	require.NoError(t, err)
	require.Len(t, leases, 1)
	_, err = os.Stat(filepath.Join(w.dir, w.uuid))
	require.NoError(t, err)
}
