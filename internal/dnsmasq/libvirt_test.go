// SPDX-License-Identifier: Apache-2.0

package dnsmasq_test

import (
	"io/fs"
	"net/netip"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestLibvirtLeases(t *testing.T) {
	const text = `[
  {
    "ip-address": "192.168.122.9",
    "mac-address": "52:54:00:00:00:02",
    "expiry-time": 0
  },
  {
    "iaid": "T7",
    "ip-address": "2001:db8::11",
    "mac-address": "52:54:00:00:00:01",
    "client-id": "00:03:00:01:52:54:00:00:00:02",
    "server-duid": "00:01:00:01:2c:3b:4d:5e:52:54:00:00:00:01",
    "expiry-time": 1795258800
  },
  {
    "ip-address": "192.168.122.10",
    "mac-address": "52:54:00:00:00:01",
    "hostname": "web",
    "client-id": "01:52:54:00:00:00:01",
    "expiry-time": 1795258800
  }
]
`
	at := time.Unix(1795258800, 0).UTC()
	want := []host.Lease{
		{Addr: netip.MustParseAddr("192.168.122.9"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}},
		{Addr: netip.MustParseAddr("192.168.122.10"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, Hostname: "web", ClientID: "01:52:54:00:00:00:01", Expires: at},
		{Addr: netip.MustParseAddr("2001:db8::11"), ClientID: "00:03:00:01:52:54:00:00:00:02", IAID: 7, Temporary: true, Expires: at},
	}
	got, err := dnsmasq.ParseLibvirtLeases([]byte(text))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, got, addresses))

	file, err := dnsmasq.FormatLibvirtLeases("3b0fa6a1-5c53-4f4a-9a9e-0e5f3c1d2b77", got)
	require.NoError(t, err)
	require.Contains(t, string(file), `"server-duid": "00:04:3b:0f:a6:a1:5c:53:4f:4a:9a:9e:0e:5f:3c:1d:2b:77"`)
	again, err := dnsmasq.ParseLibvirtLeases(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, again, addresses))

	for _, empty := range []string{"", "\n", "[]"} {
		got, err := dnsmasq.ParseLibvirtLeases([]byte(empty))
		require.NoError(t, err)
		require.Empty(t, got)
	}
}

func TestLibvirtLeasesKeepTheGood(t *testing.T) {
	const good = `{"ip-address":"10.0.0.1","mac-address":"52:54:00:00:00:01","expiry-time":0}`
	for _, bad := range []string{
		`7`, `{}`, `{"ip-address":"10.0.0"}`, `{"ip-address":"10.0.0.2","mac-address":"x","expiry-time":"soon"}`,
		`{"ip-address":"10.0.0.2","hostname":"a b"}`, `{"ip-address":"10.0.0.2","client-id":"xx"}`, `{"ip-address":"10.0.0.2","expiry-time":-1}`,
		`{"ip-address":"fd00::1","iaid":"x"}`,
	} {
		got, err := dnsmasq.ParseLibvirtLeases([]byte("[" + good + "," + bad + "]"))
		require.ErrorIs(t, err, fs.ErrInvalid, bad)
		require.ErrorContains(t, err, "libvirt's lease 2: ", bad)
		require.Len(t, got, 1, bad)
	}
	_, err := dnsmasq.ParseLibvirtLeases([]byte("[" + good))
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = dnsmasq.FormatLibvirtLeases("n1", []host.Lease{{}})
	require.ErrorIs(t, err, fs.ErrInvalid)
}

func TestLibvirtLink(t *testing.T) {
	require.Equal(t, "virbr0", dnsmasq.LibvirtLink([]byte("##WARNING\nstrict-order\nexcept-interface=lo\ninterface=virbr0\ndhcp-range=a,b\n")))
	require.Empty(t, dnsmasq.LibvirtLink([]byte("except-interface=lo\n")))
}
