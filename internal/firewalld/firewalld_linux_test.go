// SPDX-License-Identifier: Apache-2.0

package firewalld_test

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/firewalld"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// serve puts a program in the place of firewalld, for what the real one cannot be brought to do when a test wants it. The
// tests with the real one are in network/linux and domainiface.
func serve(t *testing.T, zone map[string]any) (address string) {
	t.Helper()
	testenv.NeedRoot(t)
	bus := testenv.NewBus(t, "")
	conn, err := dbus.Connect(bus.Address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	require.NoError(t, conn.ExportMethodTable(zone, "/org/fedoraproject/FirewallD1", firewalld.Name+".zone"))
	_, err = conn.RequestName(firewalld.Name, dbus.NameFlagDoNotQueue)
	require.NoError(t, err)
	return bus.Address
}

// TestGivenUp gives up while firewalld is at work on a change. It takes it back as soon as it can.
func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked, release := make(chan string, 2), make(chan bool)
	address := serve(t, map[string]any{
		"getZoneOfInterface": func(string) (string, *dbus.Error) { return "", nil },
		"addInterface": func(zone, link string) (string, *dbus.Error) {
			asked <- "add " + link + " to " + zone
			cancel()
			<-release
			return zone, nil
		},
		"removeInterface": func(zone, link string) (string, *dbus.Error) {
			asked <- "remove " + link + " from " + zone
			return zone, nil
		},
	})
	err := firewalld.SetZone(ctx, address, host.SetZone{Link: "br0", Zone: "home"})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "add br0 to home", <-asked)
	close(release)
	require.Equal(t, "remove br0 from home", <-asked)
}

// TestAnswers has every answer that the real one gives when somebody else was faster, and some that it does not give.
func TestAnswers(t *testing.T) {
	var answer atomic.Pointer[dbus.Error]
	address := serve(t, map[string]any{
		"getZoneOfInterface":    func(string) (string, *dbus.Error) { return "work", nil },
		"changeZoneOfInterface": func(zone, _ string) (string, *dbus.Error) { return zone, answer.Load() },
		"removeInterface":       func(zone, _ string) (string, *dbus.Error) { return zone, answer.Load() },
	})
	move, remove := host.SetZone{Link: "br0", Zone: "home", Was: "work"}, host.SetZone{Link: "br0", Was: "work"}
	const exception = "org.fedoraproject.FirewallD1.Exception"
	for _, c := range []struct {
		op         host.SetZone
		name, text string
		want       error
	}{
		{move, exception, "ZONE_CONFLICT: 'br0' already bound to 'public'", fs.ErrExist},
		{move, exception, "ZONE_ALREADY_SET: 'br0' already bound to 'home'", fs.ErrExist},
		{move, exception, "INVALID_ZONE: home", fs.ErrNotExist},
		{move, exception, "INVALID_INTERFACE: br0", fs.ErrInvalid},
		{move, exception, "NOT_AUTHORIZED: you", fs.ErrPermission},
		{move, "org.fedoraproject.FirewallD1.NotAuthorizedException", "Not Authorized(uid): x", fs.ErrPermission},
		{move, "org.freedesktop.DBus.Error.AccessDenied", "Rejected send message", fs.ErrPermission},
		{move, "org.freedesktop.DBus.Error.NoReply", "it has gone", fs.ErrNotExist},
		{remove, exception, "ZONE_CONFLICT: remove_interface(work, br0): zoi='public'", fs.ErrNotExist},
		{remove, exception, "UNKNOWN_INTERFACE: 'br0' is not in any zone", fs.ErrNotExist},
	} {
		answer.Store(dbus.NewError(c.name, []any{c.text}))
		err := firewalld.SetZone(t.Context(), address, c.op)
		require.ErrorIs(t, err, c.want, c.text)
		require.ErrorContains(t, err, c.text)
	}
	for _, body := range [][]any{{"PYTHON_IS: broken"}, {7}, nil} {
		answer.Store(dbus.NewError(exception, body))
		err := firewalld.SetZone(t.Context(), address, move)
		require.Error(t, err)
		for _, class := range []error{fs.ErrExist, fs.ErrNotExist, fs.ErrInvalid, fs.ErrPermission, errors.ErrUnsupported} {
			require.NotErrorIs(t, err, class)
		}
	}
	answer.Store(nil)
	require.NoError(t, firewalld.SetZone(t.Context(), address, move))
}

// TestZones reads what one says that is too old to have policies, and gives up on one that says something else.
func TestZones(t *testing.T) {
	zone := map[string]any{
		"getZones": func() ([]string, *dbus.Error) { return []string{"home"}, nil },
		"getActiveZones": func() (map[string]map[string][]string, *dbus.Error) {
			return map[string]map[string][]string{"home": {"interfaces": {"br0", "br1"}, "sources": {"192.0.2.0/24"}}, "empty": {}}, nil
		},
	}
	z, err := firewalld.Zones(t.Context(), serve(t, zone))
	require.NoError(t, err)
	require.ElementsMatch(t, []host.ZonedLink{{Link: "br0", Zone: "home"}, {Link: "br1", Zone: "home"}}, z.Links)
	require.Equal(t, []string{"home"}, z.Names)
	require.Empty(t, z.Policies)
	require.True(t, z.Running && z.Possible)

	zone["getActiveZones"] = func() (string, *dbus.Error) { return "none", nil }
	_, err = firewalld.Zones(t.Context(), serve(t, zone))
	require.ErrorContains(t, err, "firewalld: ")
}
