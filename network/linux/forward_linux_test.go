// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSetSysctl(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	do(t, b, host.AddBridge{Link: "br.0", MAC: bridgeMAC})
	before := ns.Snapshot(t)
	set := host.SetSysctl{Key: "net/ipv6/conf/br.0/accept_ra", Value: "0", Was: "1"}
	do(t, b, set)
	require.Equal(t, "-net/ipv6/conf/br.0/accept_ra=1\n+net/ipv6/conf/br.0/accept_ra=0\n", testenv.Diff(before, ns.Snapshot(t)))
	do(t, b, set.Inverse())
	ns.Unchanged(t, before, "in the end")
	refuse(t, b, ns, fs.ErrNotExist, host.SetSysctl{Key: "net/ipv6/conf/br9/accept_ra", Value: "0", Was: "1"})
	refuse(t, b, ns, fs.ErrInvalid, host.SetSysctl{Key: "net/ipv6/conf/br.0/accept_ra", Value: "yes", Was: "1"})

	f := facts(t, b, host.Scope{Sysctls: []string{
		"net/ipv6/conf/br.0/accept_ra", "net/ipv6/conf/br.0", "../sys/kernel/ostype", "/etc/hostname", "", "kernel/ostype",
	}})
	require.Equal(t, []host.Sysctl{{Key: "kernel/ostype", Value: "Linux"}, {Key: set.Key, Value: "1"}}, f.Sysctls)
}

func TestForwarding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ipv6                bool
		whole, link, family string
	}{
		{false, "net/ipv4/ip_forward", "net/ipv4/conf/lo/forwarding", "ipv4"},
		{true, "net/ipv6/conf/all/forwarding", "net/ipv6/conf/lo/forwarding", "ipv6"},
	} {
		b, ns := open(t)
		do(t, b, host.DisableForwarding{IPv6: c.ipv6}, host.EnableForwarding{IPv6: c.ipv6})
		require.Equal(t, "1", ns.Sysctl(t, c.whole))
		require.Contains(t, facts(t, b, host.Scope{Forwarding: true}).String(), "forwarding "+c.family)
		// What somebody decided for one link is not overruled by doing it again.
		ns.SetSysctl(t, c.link, "0")
		do(t, b, host.EnableForwarding{IPv6: c.ipv6})
		require.Equal(t, "0", ns.Sysctl(t, c.link))
		do(t, b, host.DisableForwarding{IPv6: c.ipv6}, host.DisableForwarding{IPv6: c.ipv6})
		require.Equal(t, "0", ns.Sysctl(t, c.whole))
		require.NotContains(t, facts(t, b, host.Scope{Forwarding: true}).String(), "forwarding "+c.family)
	}
}

// A link whose routes came from a router advertisement is named, however long its name, and the kernel does drop them.
func TestForwardingBlocked(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	const uplink = "uplink-of-15-by"
	for _, c := range []struct {
		acceptRA string
		blocked  []string
		lost     bool
	}{
		{"0", []string{uplink}, true}, {"1", []string{uplink}, true}, {"2", nil, false},
	} {
		t.Run("accept_ra "+c.acceptRA, func(t *testing.T) {
			t.Parallel()
			b, ns := open(t)
			router := testenv.New(t)
			do(t, b, host.DisableForwarding{IPv6: true})
			testenv.Connect(t, ns, router, uplink, "lan")
			learned := func() bool {
				return strings.Contains(ns.Output(t, "ip", "-6", "route"), "default via fe80::")
			}
			testenv.WaitFor(t, 20*time.Second, "the router's route", func() bool {
				advertise(t, router, "lan")
				return learned()
			})
			ns.SetSysctl(t, "net/ipv6/conf/"+uplink+"/accept_ra", c.acceptRA)
			require.Equal(t, c.blocked, facts(t, b, host.Scope{Forwarding: true}).Forwarding.Blocked)
			do(t, b, host.EnableForwarding{IPv6: true})
			require.Equal(t, !c.lost, learned())
		})
	}
}

// advertise sends a router advertisement with a default route and a prefix, if the link has its address already.
func advertise(t *testing.T, ns *testenv.Namespace, link string) {
	t.Helper()
	ns.Run(t, func() {
		dev, err := net.InterfaceByName(link)
		require.NoError(t, err)
		sock, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		require.NoError(t, err)
		defer unix.Close(sock)
		require.NoError(t, unix.SetsockoptInt(sock, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255))
		message := []byte{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}
		message = append(message, 3, 4, 64, 0xc0, 0, 0, 7, 8, 0, 0, 7, 8, 0, 0, 0, 0)
		message = append(message, net.ParseIP("2001:db8:7::")...)
		to := &unix.SockaddrInet6{ZoneId: uint32(dev.Index)}
		copy(to.Addr[:], net.ParseIP("ff02::1"))
		// There is no source address before duplicate address detection has ended.
		_ = unix.Sendto(sock, message, 0, to)
	})
}
