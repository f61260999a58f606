// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/laws"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/schema"
)

// TestAdoptLaws takes a network over from a libvirt that is played, and fails and kills that everywhere.
func TestAdoptLaws(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	const id = "e7db3b93-009d-48d2-a242-09296d4a1c25"
	document := "<network><name>lab</name><uuid>" + id + "</uuid><forward mode='nat'/><bridge name='br0' stp='off' delay='0'/>" +
		"<mac address='52:54:00:00:00:01'/><ip address='192.168.7.1' prefix='24'><dhcp><range start='192.168.7.100' end='192.168.7.199'/></dhcp></ip></network>"
	l := host.Libvirt{
		Networks: []host.LibvirtNetwork{{Name: "lab", Status: "<networkstatus>" + document + "</networkstatus>", Definition: document, Autostart: true}},
		Rules: []host.LibvirtRule{
			{Family: "ip", Table: "filter", Chain: "LIBVIRT_FWX", Text: `iifname "br0" oifname "br0" counter accept`},
			{Family: "ip", Table: "libvirt_network", Chain: "guest_nat", Text: `ip saddr 192.168.7.0/24 ip daddr != 192.168.7.0/24 counter masquerade`},
			{Family: "ip", Table: "filter", Chain: "LIBVIRT_FWX", Text: `iifname "br1" oifname "br1" counter accept`},
		},
	}
	portID, err := schema.ParseUUID("e7db3b93-009d-48d2-a242-09296d4a1c01")
	require.NoError(t, err)
	laws.Adopt(t, func(t *testing.T) laws.World {
		b, ns := open(t)
		for _, op := range []host.Op{
			host.AddBridge{Link: "br0", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}},
			host.AddAddr{Link: "br0", Prefix: netip.MustParsePrefix("192.168.7.1/24")},
			host.SetUp{Link: "br0"}, host.EnableForwarding{},
			host.AddTap{Link: "vnet0", MAC: host.MAC{0xfe, 0x54, 0, 0, 0, 9}}, host.Plug{Link: "vnet0", Bridge: "br0"}, host.SetUp{Link: "vnet0"},
		} {
			require.NoError(t, b.Do(t.Context(), op))
		}
		playLibvirt(t, ns, b.LibvirtFolder(), l, nil)
		return laws.World{Backend: b, Snapshot: func() string {
			f, err := b.Facts(context.Background(), host.Scope{Libvirt: true})
			require.NoError(t, err)
			return ns.Snapshot(t) + f.String()
		}}
	}, network.AdoptRequest{Name: "lab", Ports: []network.AdoptPort{
		{Link: "vnet0", Port: &network.Port{UUID: portID, Owner: &network.Owner{Name: "web"}, MAC: &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 0, 0, 9}}}},
	}})
}

// libvirtEnv is set inside the namespaces in which a real libvirt runs.
const libvirtEnv = "VIRTNET_TEST_LIBVIRT"

// TestAdoptLibvirt takes a network over from a real libvirt, in namespaces of processes, mounts and networks that end with the
// test: it signals all processes it sees when a network does not start. Guests send all the time.
func TestAdoptLibvirt(t *testing.T) {
	if os.Getenv(libvirtEnv) != "" {
		adoptLibvirt(t)
		return
	}
	testenv.NeedRoot(t)
	testenv.NeedLibvirt(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestAdoptLibvirt$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), libvirtEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

// adoptLibvirt is the test, in the namespaces.
func adoptLibvirt(t *testing.T) {
	ctx := t.Context()
	lv := startLibvirt(t)
	lv.define("default", "virbr0", "192.168.122", "fd00:122::1", true)
	lv.define("other", "virbr1", "192.168.123", "fd00:123::1", false)
	b, err := linux.Open(linux.Config{RunDir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	outside := lv.outside()
	web, db := lv.guest(b, "vnet0", "52:54:00:11:22:33"), lv.guest(b, "vnet1", "52:54:00:11:22:44")
	const portID = "e7db3b93-009d-48d2-a242-09296d4a1c01"
	lv.port("default", portID, "web", "52:54:00:11:22:33")
	first := web.lease(dhcpclient.Options{Hostname: "web"})
	db.lease(dhcpclient.Options{Hostname: "db"})

	store := network.Dir(t.TempDir())
	failing := &refusing{Backend: b}
	nets, err := network.Open(ctx, failing, store)
	require.NoError(t, err)
	dbID, err := schema.ParseUUID("e7db3b93-009d-48d2-a242-09296d4a1c02")
	require.NoError(t, err)
	req := network.AdoptRequest{Name: "default", Ports: []network.AdoptPort{{Link: "vnet1", Port: &network.Port{
		UUID: dbID, Owner: &network.Owner{Name: "db"}, MAC: &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 0x11, 0x22, 0x44}},
	}}}}

	plan, err := nets.PlanAdopt(ctx, req)
	require.NoError(t, err)
	t.Logf("with libvirt %s:\n%s%s", lv.Version(), plan.Plan, plan.After)
	for _, step := range plan.Plan {
		switch step.Op.(type) {
		case host.SetFilter, host.SetOwner, host.TakeServer, host.Disown:
		default:
			t.Errorf("libvirt has done it already: %s", step.Op)
		}
	}
	require.NotZero(t, plan.Daemon)
	_, err = nets.Adopt(ctx, req)
	require.ErrorIs(t, err, network.ErrBusy, "the daemon runs")
	require.True(t, lv.runs("default"))

	// It fails at the last step: the daemon finds the network as it left it. (When it is started it sets its rules anew, and loses
	// packets itself.)
	lv.Stop()
	talk := talkAll(outside, web, db)
	failing.refuse = func(op host.Op) bool { _, last := op.(host.Disown); return last }
	_, err = nets.Adopt(ctx, req)
	require.ErrorIs(t, err, errRefused)
	failing.refuse = nil
	talk.end(t)
	lv.Start()
	require.True(t, lv.runs("default"))
	require.Contains(t, lv.Virsh("net-dhcp-leases", "default"), first.Addr.String())
	require.Contains(t, lv.Virsh("net-port-list", "default"), portID)
	require.Equal(t, first.Addr, web.lease(dhcpclient.Options{Hostname: "web"}).Addr)

	lv.Stop()
	talk = talkAll(outside, web, db)
	began := time.Now()
	a, err := nets.Adopt(ctx, req)
	require.NoError(t, err)
	t.Logf("taken over in %s, of which its server took %s", time.Since(began), failing.served)
	require.Empty(t, a.Others)
	require.Len(t, a.Ports, 2)
	require.Equal(t, "web", a.Ports[1].Port.Owner.Name)

	// Libvirt comes back, and knows nothing of it.
	lv.Start()
	require.NotContains(t, lv.Virsh("net-list", "--all", "--name"), "default")
	require.True(t, lv.runs("other"))
	for _, words := range []string{"net-start", "net-destroy", "net-autostart"} {
		require.Error(t, lv.Try(words, "default"), words)
	}
	rules := lv.Run("nft", "list", "ruleset")
	require.Contains(t, rules, `"virbr1"`)
	for line := range strings.Lines(rules) {
		theirs := strings.Contains(line, "xt ") || strings.Contains(line, "accept")
		require.False(t, theirs && (strings.Contains(line, `"virbr0"`) || strings.Contains(line, "192.168.122.")), "left: %s", line)
	}
	require.Equal(t, first.Addr, web.lease(dhcpclient.Options{Hostname: "web", Address: first.Addr.Addr()}).Addr)
	leases, err := b.Leases(ctx, a.Network.UUID.String())
	require.NoError(t, err)
	require.Len(t, leases, 2)
	drift, err := nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, drift)

	// The boot after is played: the daemon would start what it starts by itself.
	lv.Stop()
	require.NoError(t, os.Remove("/run/libvirt/network/autostarted"))
	lv.Start()
	drift, err = nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, drift)

	talk.end(t)

	// It is given back.
	status, err := nets.Lookup(ctx, "default")
	require.NoError(t, err)
	require.True(t, status.Persistent() && status.Autostart)
	text, err := status.Definition.Format()
	require.NoError(t, err)
	require.NoError(t, nets.Stop(ctx, "default"))
	lv.defineText(string(text))
	lv.Virsh("net-start", "default")
	require.True(t, lv.runs("default"))
	_, err = b.Facts(ctx, host.Scope{Libvirt: true})
	require.NoError(t, err)
	_, err = os.Stat("/run/libvirt/network/default.xml")
	require.False(t, errors.Is(err, fs.ErrNotExist))
}

var errRefused = errors.New("refused")

// refusing refuses some operations, and looks at the clock.
type refusing struct {
	*linux.Backend
	refuse func(host.Op) bool
	// served is how long it took to put our server in the place of libvirt's.
	served time.Duration
}

func (b *refusing) Do(ctx context.Context, op host.Op) error {
	if b.refuse != nil && b.refuse(op) {
		return errRefused
	}
	if _, ok := op.(host.TakeServer); ok {
		defer func(began time.Time) { b.served = time.Since(began) }(time.Now())
	}
	return b.Backend.Do(ctx, op)
}
