// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestLeases asks which address a guest has and where that is known from: a lease that the neighbours confirm, a host of the
// document, a neighbour that nobody gave an address, and one that took another's.
func TestLeases(t *testing.T) {
	s, m := inMemory(t)
	const uuid = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9"
	_, errs, status := s.at(t, "up", file(t, `<network><name>lan</name><uuid>`+uuid+`</uuid><forward/><bridge name='virbr7'/><ip address='10.7.0.1' prefix='24'><dhcp>
<range start='10.7.0.2' end='10.7.0.99'/><host mac='52:54:00:00:00:04' name='db' ip='10.7.0.100'/></dhcp></ip></network>`))
	require.Zero(t, status, errs)
	for guest, mac := range map[string]string{"web": "52:54:00:00:00:03", "db": "52:54:00:00:00:04"} {
		_, errs, status := s.at(t, "attach", "--guest", guest, file(t, "<interface type='network'><mac address='"+mac+"'/><source network='lan'/></interface>"))
		require.Zero(t, status, errs)
	}
	end := time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local)
	require.NoError(t, m.GiveLease(uuid, host.Lease{Addr: netip.MustParseAddr("10.7.0.7"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 3}, Hostname: "www", Expires: end}))
	require.NoError(t, m.GiveLease(uuid, host.Lease{Addr: netip.MustParseAddr("10.7.0.8"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 9}}))
	for _, n := range []host.Neighbour{
		{Addr: netip.MustParseAddr("10.7.0.7"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 3}, Confirmed: true},
		{Addr: netip.MustParseAddr("10.7.0.8"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 4}, Confirmed: true},
		{Addr: netip.MustParseAddr("10.7.0.200"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 4}},
	} {
		require.NoError(t, m.Learn("virbr7", n))
	}
	out, errs, status := s.at(t, "leases")
	require.Zero(t, status, errs)
	require.Equal(t, `ADDRESS     NETWORK  GUEST  HOSTNAME  MAC                KNOWN FROM        CONFIRMED  UNTIL
10.7.0.7    lan      web    www       52:54:00:00:00:03  lease, neighbour  yes        2030-01-02 03:04:05
10.7.0.8    lan      -      -         52:54:00:00:00:09  lease             no         for ever
10.7.0.8    lan      db     -         52:54:00:00:00:04  neighbour         yes        -
10.7.0.100  lan      db     db        52:54:00:00:00:04  host              no         -
10.7.0.200  lan      db     -         52:54:00:00:00:04  neighbour         no         -
`, out)
	out, errs, status = s.at(t, "leases", "lan", "--guest", "web", "--json")
	require.Zero(t, status, errs)
	var lines []addressLine
	require.NoError(t, json.Unmarshal([]byte(out), &lines))
	require.Len(t, lines, 1)
	require.True(t, end.Equal(*lines[0].Until))
	lines[0].Until = nil
	require.Equal(t, addressLine{
		Network: "lan", Address: "10.7.0.7", Guest: "web", Hostname: "www", MAC: "52:54:00:00:00:03", Known: []string{"lease", "neighbour"}, Confirmed: true,
	}, lines[0])
	out, _, status = s.at(t, "leases", "--guest", "nobody", "--json")
	require.Zero(t, status)
	require.Equal(t, "[]\n", out)
}
