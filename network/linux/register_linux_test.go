// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dbus"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

const registeredNetwork = `<network><name>lan</name><bridge name='lan0' stp='off'/><domain name='lab.example' localOnly='yes' register='yes'/>
<dns><host ip='10.88.0.7'><hostname>web.lab.example</hostname></host></dns><ip address='10.88.0.1' prefix='24'/></network>`

// resolve asks the resolver of the host for a name.
func resolve(t *testing.T, bus *testenv.Bus, name string) (string, error) {
	t.Helper()
	conn, err := dbus.Open(t.Context(), bus.Address)
	require.NoError(t, err)
	defer conn.Close()
	var found []struct {
		Index, Family int32
		Addr          []byte
	}
	var canonical string
	var flags uint64
	err = conn.Ask(t.Context(), dbus.Object{Name: "org.freedesktop.resolve1", Path: "/org/freedesktop/resolve1"},
		"org.freedesktop.resolve1.Manager.ResolveHostname", []any{int32(0), name, int32(2), uint64(0)}, &found, &canonical, &flags)
	if err != nil {
		return "", err
	}
	require.Len(t, found, 1)
	addr, _ := netip.AddrFromSlice(found[0].Addr)
	return addr.String(), nil
}

// TestRegister has a real systemd-resolved ask the server of a network for the name of a guest, lose it, and get it again.
func TestRegister(t *testing.T) {
	t.Parallel()
	t.Run("dnsmasq", func(t *testing.T) { testRegister(t, linux.Config{}) })
	t.Run("in process", func(t *testing.T) { testRegister(t, linux.Config{Engine: &serve.Engine{}}) })
}

func testRegister(t *testing.T, config linux.Config) {
	testenv.NeedRoot(t)
	testenv.NeedResolved(t)
	testenv.NeedProgram(t, "dnsmasq")
	ns, bus := testenv.New(t), testenv.NewBus(t, "")
	resolver := ns.NewResolved(t, bus)
	config.Namespace, config.SystemBus = ns.Path(), bus.Address
	b := openAs(t, config)
	nets, err := network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(registeredNetwork))
	require.NoError(t, err)
	_, err = resolve(t, bus, "web.lab.example")
	require.Error(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	// Nobody is asked on a bridge that leads nowhere.
	guest := testenv.New(t)
	testenv.Connect(t, ns, guest, "guest", "eth0")
	ns.Output(t, "ip", "link", "set", "guest", "master", "lan0")
	knows := func(when string) {
		t.Helper()
		// It hears of the guest after a moment.
		testenv.WaitFor(t, 20*time.Second, "the name "+when, func() bool {
			addr, err := resolve(t, bus, "web.lab.example")
			return err == nil && addr == "10.88.0.7"
		})
	}
	knows("of a network that was started")
	found, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, found)

	resolver.Stop()
	found, err = nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Empty(t, found[0].Repair, "nobody can be told")
	ns.NewResolved(t, bus)
	_, err = nets.Repair(t.Context(), network.RepairRequest{})
	require.NoError(t, err)
	knows("after it was told again")

	require.NoError(t, nets.Stop(t.Context(), "lan"))
	_, err = resolve(t, bus, "web.lab.example")
	require.Error(t, err)
	f, err := b.Facts(t.Context(), host.Scope{Resolver: true})
	require.NoError(t, err)
	require.True(t, f.Resolver.Running)
	require.Empty(t, f.Resolver.Links)
}

// TestRegisterDenied starts a network of which the resolver may not be told.
func TestRegisterDenied(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedResolved(t)
	testenv.NeedProgram(t, "dnsmasq")
	ns := testenv.New(t)
	bus := testenv.NewBus(t, `<deny send_interface="org.freedesktop.resolve1.Manager" send_member="SetLinkDomains"/>`)
	ns.NewResolved(t, bus)
	b := openAs(t, linux.Config{Namespace: ns.Path(), SystemBus: bus.Address})
	nets, err := network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(registeredNetwork))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n), "it is whole without")
	found, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 1)
	f, err := b.Facts(t.Context(), host.Scope{Resolver: true})
	require.NoError(t, err)
	require.Empty(t, f.Resolver.Links, "nothing half done")
	require.NoError(t, nets.Stop(t.Context(), "lan"))
}
