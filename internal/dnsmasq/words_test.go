// SPDX-License-Identifier: Apache-2.0

package dnsmasq_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
)

// FuzzLibvirtLeases wants of any leases of libvirt's that what can be read of them comes out the same when it is written.
func FuzzLibvirtLeases(f *testing.F) {
	f.Add([]byte(`[{"ip-address":"192.168.122.9","mac-address":"52:54:00:00:00:02","expiry-time":0}]`))
	f.Add([]byte(`[{"iaid":"T7","ip-address":"2001:db8::11","client-id":"00:03:00:01:52:54:00:00:00:02","server-duid":"00:01","expiry-time":1795258800}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		leases, _ := dnsmasq.ParseLibvirtLeases(data)
		text, err := dnsmasq.FormatLibvirtLeases("n", leases)
		if err != nil {
			return
		}
		again, err := dnsmasq.ParseLibvirtLeases(text)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(leases, again, addresses))
	})
}

// FuzzWords reads what a program says of itself, and what a configuration of libvirt's is for.
func FuzzWords(f *testing.F) {
	f.Add("Dnsmasq version 2.90  Copyright (c) 2000-2024 Simon Kelley\nCompile time options: IPv6 no-DHCPv6 no-TFTP")
	f.Add("strict-order\ninterface=virbr0\n")
	f.Fuzz(func(t *testing.T, text string) {
		v := dnsmasq.ParseVersion(text)
		require.True(t, v.Major >= 0 && v.Minor >= 0)
		for _, word := range dnsmasq.ParseLacks(text) {
			require.Contains(t, text, "no-"+word)
		}
		require.True(t, strings.Contains(text, dnsmasq.LibvirtLink([]byte(text))))
	})
}
