// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

const zonedNetwork = `<network><name>lan</name><forward mode='nat'/><bridge name='lan0' zone='home'/><ip address='10.88.0.1' prefix='24'/></network>`

func zoneOf(t *testing.T, b host.Backend, link string) string {
	t.Helper()
	f, err := b.Facts(t.Context(), host.Scope{Zones: true})
	require.NoError(t, err)
	return f.Zones.Of(link)
}

// TestWithoutFirewalld has backends that cannot know of one.
func TestWithoutFirewalld(t *testing.T) {
	testenv.NeedRoot(t)
	for _, address := range []string{"", "unix:path=/nonexistent/bus"} {
		b := openAs(t, linux.Config{Namespace: testenv.New(t).Path(), SystemBus: address})
		f, err := b.Facts(t.Context(), host.Scope{Zones: true})
		require.NoError(t, err)
		require.Equal(t, host.Zones{}, f.Zones)
		require.ErrorIs(t, b.Do(t.Context(), host.SetZone{Link: "br0", Zone: "home"}), errors.ErrUnsupported)
		require.ErrorIs(t, b.Do(t.Context(), host.SetZone{Link: "br0", Was: "home"}), fs.ErrNotExist)
		require.NoError(t, b.Do(t.Context(), host.SetZone{Link: "br0", Zone: "home", Optional: true}))
		nets, err := network.Open(t.Context(), b, network.Memory())
		require.NoError(t, err)
		n, err := network.Parse(strings.NewReader(zonedNetwork))
		require.NoError(t, err)
		err = nets.Create(t.Context(), n)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "/network/bridge/@zone: zone home is one of firewalld, which does not run")
	}
}

// TestBusWithoutFirewalld has one that may come.
func TestBusWithoutFirewalld(t *testing.T) {
	testenv.NeedRoot(t)
	bus := testenv.NewBus(t, "")
	b := openAs(t, linux.Config{Namespace: testenv.New(t).Path(), SystemBus: bus.Address})
	f, err := b.Facts(t.Context(), host.Scope{Zones: true})
	require.NoError(t, err)
	require.Equal(t, host.Zones{Possible: true}, f.Zones)
	require.ErrorIs(t, b.Do(t.Context(), host.SetZone{Link: "br0", Zone: "home"}), errors.ErrUnsupported)
	require.ErrorIs(t, b.Do(t.Context(), host.SetZone{Link: "br0", Was: "home"}), fs.ErrNotExist)
	require.NoError(t, b.Do(t.Context(), host.SetZone{Link: "br0", Zone: "home", Optional: true}))
}

// TestZoneDenied starts a network that the bus keeps from its zone: nothing of it is left.
func TestZoneDenied(t *testing.T) {
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	bus := testenv.NewBus(t, `<deny send_interface="org.fedoraproject.FirewallD1.zone" send_member="addInterface"/>`)
	ns.NewFirewalld(t, bus, nil)
	b := openAs(t, linux.Config{Namespace: ns.Path(), SystemBus: bus.Address})
	nets, err := network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(zonedNetwork))
	require.NoError(t, err)
	require.NoError(t, b.Do(t.Context(), host.EnableForwarding{})) // shared, and not taken back with a plan
	before := ns.Snapshot(t)
	err = nets.Create(t.Context(), n)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "/network/bridge/@zone: zone home interface lan0 (was none): firewalld: ")
	ns.Unchanged(t, before, "after the denied start")
}

// TestZoneOfAUser asks as a user who may not, which firewalld itself decides.
func TestZoneOfAUser(t *testing.T) {
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	bus := testenv.NewBus(t, "")
	ns.NewFirewalld(t, bus, nil)
	b := openAs(t, linux.Config{Namespace: ns.Path(), SystemBus: bus.Address})
	done := make(chan error)
	go func() {
		// The thread is never unlocked, and ends with this.
		runtime.LockOSThread()
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			done <- errno
			return
		}
		done <- b.Do(context.Background(), host.SetZone{Link: "br0", Zone: "home"})
	}()
	require.ErrorIs(t, <-done, fs.ErrPermission)
	require.Empty(t, zoneOf(t, b, "br0"))
}

// A busy firewalld is stopped in its tracks before an operation is done.
type busyFirewalld struct {
	host.Backend
	t    *testing.T
	fw   *testenv.Firewalld
	then func()
}

func (b busyFirewalld) Do(ctx context.Context, op host.Op) error {
	if _, ok := op.(host.SetZone); ok {
		require.NoError(b.t, unix.Kill(b.fw.PID(b.t), unix.SIGSTOP))
		go b.then()
	}
	return b.Backend.Do(ctx, op)
}

// TestFirewalldDies kills firewalld while it is asked to put a bridge into its zone.
func TestFirewalldDies(t *testing.T) {
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	bus := testenv.NewBus(t, "")
	fw := ns.NewFirewalld(t, bus, nil)
	b := openAs(t, linux.Config{Namespace: ns.Path(), SystemBus: bus.Address})
	n, err := network.Parse(strings.NewReader(zonedNetwork))
	require.NoError(t, err)
	require.NoError(t, b.Do(t.Context(), host.EnableForwarding{}))
	before := ns.Snapshot(t)
	nets, err := network.Open(t.Context(), busyFirewalld{b, t, fw, fw.Stop}, network.Memory())
	require.NoError(t, err)
	err = nets.Create(t.Context(), n)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "/network/bridge/@zone: zone home interface lan0 (was none): firewalld: it does not run")
	ns.Unchanged(t, before, "after firewalld died")

	fw.Start(t)
	nets, err = network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	require.Equal(t, "home", zoneOf(t, b, "lan0"))
	fw.Stop()
	require.NoError(t, nets.Stop(t.Context(), "lan"), "it took the zone along")
}

// TestBusOfTheMachine takes the usual bus for the namespace of the process only.
func TestBusOfTheMachine(t *testing.T) {
	testenv.NeedRoot(t)
	bus := testenv.NewBus(t, "")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.Address)
	for _, c := range []struct {
		config   linux.Config
		possible bool
	}{
		{linux.Config{}, true},
		{linux.Config{Namespace: testenv.New(t).Path()}, false},
		{linux.Config{Namespace: testenv.New(t).Path(), SystemBus: bus.Address}, true},
		{linux.Config{SystemBus: "unix:path=" + os.DevNull}, false},
	} {
		c.config.RunDir = t.TempDir()
		b, err := linux.Open(c.config)
		require.NoError(t, err)
		f, err := b.Facts(t.Context(), host.Scope{Zones: true})
		require.NoError(t, err)
		require.Equal(t, c.possible, f.Zones.Possible, "%+v", c.config)
		require.NoError(t, b.Close())
	}
}
