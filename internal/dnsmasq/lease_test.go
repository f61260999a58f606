// SPDX-License-Identifier: Apache-2.0

package dnsmasq_test

import (
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

var addresses = cmpopts.EquateComparable(netip.Addr{})

func TestParseLeases(t *testing.T) {
	data, err := os.ReadFile("testdata/leases")
	require.NoError(t, err)
	got, err := dnsmasq.ParseLeases(data)
	require.NoError(t, err)
	at := time.Unix(1795258800, 0).UTC()
	want := []host.Lease{
		{Addr: netip.MustParseAddr("10.9.0.10"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, Hostname: "web", ClientID: "01:52:54:00:00:00:01", Expires: at},
		{Addr: netip.MustParseAddr("10.9.0.11"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}},
		{Addr: netip.MustParseAddr("10.9.0.12"), ClientID: "ff:00:00:00:01", Expires: at},
		{Addr: netip.MustParseAddr("10.9.0.13"), Expires: at},
		{Addr: netip.MustParseAddr("2001:db8::10"), Hostname: "web", ClientID: "00:03:00:01:52:54:00:00:00:01", IAID: 4294967295, Expires: at},
		{Addr: netip.MustParseAddr("2001:db8::11"), ClientID: "00:03:00:01:52:54:00:00:00:02", IAID: 7, Temporary: true, Expires: at},
	}
	require.Empty(t, cmp.Diff(want, got, addresses))

	file, err := dnsmasq.FormatLeases("3b0fa6a1-5c53-4f4a-9a9e-0e5f3c1d2b77", got)
	require.NoError(t, err)
	require.Contains(t, string(file), "\nduid 00:04:3b:0f:a6:a1:5c:53:4f:4a:9a:9e:0e:5f:3c:1d:2b:77\n")
	again, err := dnsmasq.ParseLeases(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, again, addresses))
}

func TestParseLeasesKeepsTheGood(t *testing.T) {
	good := "0 52:54:00:00:00:01 10.0.0.1 * *\n"
	for _, bad := range []string{
		"x 52:54:00:00:00:01 10.0.0.2 * *", "-1 52:54:00:00:00:01 10.0.0.2 * *", "0 52:54:00:00:00:01 10.0.0.2 *", "0 52:54:00:00:00:01 10.0.0 * *",
		"0 52-54-00-00-00-01 10.0.0.2 * *", "0 x fd00::1 * *", "0 4294967296 fd00::1 * *", "0 1 ::ffff:10.0.0.2 * *", "0 52:54:00:00:00:01 10.0.0.2 * xx",
		"0 52:54:00:00:00:01 10.0.0.2 a\x01b *", "0 52:54:00:00:00:01 10.0.0.2 * * more", "99999999999999999999 52:54:00:00:00:01 10.0.0.2 * *",
	} {
		got, err := dnsmasq.ParseLeases([]byte(good + bad + "\n"))
		require.ErrorIs(t, err, fs.ErrInvalid, bad)
		require.ErrorContains(t, err, "line 2: ", bad)
		require.Len(t, got, 1, bad)
	}
	got, err := dnsmasq.ParseLeases([]byte(good + "0 52:54:00:00:00:01 10.0.0.2 * 01:5"))
	require.NoError(t, err)
	require.Len(t, got, 1, "a line that is being written")
}

func TestFormatLeasesRefuses(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.1")
	for _, l := range []host.Lease{
		{}, {Addr: addr, Hostname: "a b"}, {Addr: addr, Hostname: "a\nb"}, {Addr: addr, Hostname: "*"}, {Addr: addr, ClientID: "01 02"},
		{Addr: addr, ClientID: "0102"}, {Addr: addr, ClientID: "01:"}, {Addr: addr, ClientID: "01\n0 x"}, {Addr: addr, Hostname: strings.Repeat("a", 256)},
		{Addr: netip.MustParseAddr("fe80::1%eth0")},
	} {
		_, err := dnsmasq.FormatLeases("n", []host.Lease{l})
		require.ErrorIs(t, err, fs.ErrInvalid, "%+v", l)
	}
}

func TestUsable(t *testing.T) {
	s := full()
	now := time.Unix(1000, 0)
	addr := netip.MustParseAddr
	mine, other := host.MAC{2, 0, 0, 0, 0, 1}, host.MAC{2, 0, 0, 0, 0, 2}
	got := dnsmasq.Usable(&s, []host.Lease{
		{Addr: addr("10.0.0.4"), MAC: mine, Expires: now.Add(time.Second)},
		{Addr: addr("10.0.0.2"), MAC: mine},
		{Addr: addr("10.0.0.2"), MAC: other},
		{Addr: addr("10.0.0.3"), MAC: mine, Expires: now},
		{Addr: addr("10.0.0.5"), MAC: other},
		{Addr: addr("10.0.0.6"), MAC: mine},
		{Addr: addr("2001:db8::5"), IAID: 1},
		{Addr: addr("2001:db8::6"), IAID: 1},
	}, now)
	require.Empty(t, cmp.Diff([]host.Lease{
		{Addr: addr("10.0.0.2"), MAC: other},
		{Addr: addr("10.0.0.4"), MAC: mine, Expires: now.Add(time.Second)},
		{Addr: addr("2001:db8::5"), IAID: 1},
	}, got, addresses))
}

func FuzzLeases(f *testing.F) {
	data, err := os.ReadFile("testdata/leases")
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte("0 00- 10.0.0.1 * *\nduid x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		leases, _ := dnsmasq.ParseLeases(data)
		file, err := dnsmasq.FormatLeases("n", leases)
		require.NoError(t, err)
		again, err := dnsmasq.ParseLeases(file)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(leases, again, addresses))
	})
}

// FuzzConfig looks for text that leaves its line.
func FuzzConfig(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	plain := full()
	want, err := dnsmasq.Config(&plain, dnsmasq.Files{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		for _, field := range fields {
			s := full()
			*field.field(&s) = text
			conf, err := dnsmasq.Config(&s, dnsmasq.Files{})
			if err != nil {
				require.ErrorIs(t, err, fs.ErrInvalid)
				continue
			}
			if text != "" {
				require.Equal(t, lineCount(want), lineCount(conf), "%s\n%s", field.name, conf)
				require.Equal(t, keys(want), keys(conf))
			}
		}
	})
}
