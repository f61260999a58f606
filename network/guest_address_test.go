// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// said is one line for each address, and the error at the end.
func said(t *testing.T, nets *network.Manager, name string) (lines []string, err error) {
	t.Helper()
	for a, failed := range nets.Addresses(t.Context(), name) {
		require.NoError(t, err, "nothing follows an error")
		if err = failed; err != nil {
			continue
		}
		line := fmt.Sprintf("%s %s mac=%s name=%s id=%s", a.Addr, a.Source, a.MAC, a.Hostname, a.ClientID)
		if !a.Expires.IsZero() {
			line += " until " + a.Expires.UTC().Format(time.RFC3339)
		}
		if a.Confirmed {
			line += " confirmed"
		}
		lines = append(lines, line)
	}
	return lines, err
}

func TestAddresses(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	_, err := said(t, nets, "lan")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, nets.Define(ctx, parse(t, `<network><name>lan</name><bridge name='lan0'/>
<ip address='10.1.1.1' prefix='24'><dhcp><range start='10.1.1.100' end='10.1.1.120'/><host mac='52:54:00:00:00:01' name='one' ip='10.1.1.11'/>
<host name='two' ip='10.1.1.12'/></dhcp></ip>
<ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp><range start='2001:db8::100' end='2001:db8::120'/>
<host id='0:3:0:1:52:54:0:0:0:3' name='three' ip='2001:db8::3'/></dhcp></ip></network>`)))
	_, err = said(t, nets, "lan")
	require.ErrorIs(t, err, network.ErrInactive)
	require.NoError(t, nets.Start(ctx, "lan"))
	s, err := nets.Lookup(ctx, "lan")
	require.NoError(t, err)

	mac := func(n byte) host.MAC { return host.MAC{0x52, 0x54, 0, 0, 0, n} }
	addr := netip.MustParseAddr
	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, l := range []host.Lease{
		{Addr: addr("10.1.1.100"), MAC: mac(4), Hostname: "four", ClientID: "01:02", Expires: until},
		{Addr: addr("10.1.1.12"), MAC: mac(2), Hostname: "two"},
		{Addr: addr("2001:db8::100"), ClientID: "00:04:01:02", IAID: 7},
		{Addr: addr("2001:db8::101"), ClientID: "00:01:00:01:2c:00:00:00:52:54:00:00:00:05", IAID: 7},
		{Addr: addr("2001:db8::102"), ClientID: "00:04:01:03", IAID: 7},
	} {
		require.NoError(t, m.GiveLease(s.UUID.String(), l))
	}
	for _, n := range []host.Neighbour{
		{Addr: addr("10.1.1.100"), MAC: mac(4), Confirmed: true},
		{Addr: addr("10.1.1.12"), MAC: mac(9), Confirmed: true}, // somebody else has taken it
		{Addr: addr("10.1.1.50"), MAC: mac(6)},
		{Addr: addr("2001:db8::100"), MAC: mac(4)},
		{Addr: addr("fe80::4"), MAC: mac(4), Confirmed: true},
	} {
		require.NoError(t, m.Learn("lan0", n))
	}

	want := []string{
		"10.1.1.11 host mac=52:54:00:00:00:01 name=one id=",
		"10.1.1.12 lease mac=52:54:00:00:00:02 name=two id=",
		"10.1.1.12 host mac=52:54:00:00:00:02 name=two id=",
		"10.1.1.12 neighbour mac=52:54:00:00:00:09 name= id= confirmed",
		"10.1.1.50 neighbour mac=52:54:00:00:00:06 name= id=",
		"10.1.1.100 lease mac=52:54:00:00:00:04 name=four id=01:02 until 2030-01-02T03:04:05Z confirmed",
		"10.1.1.100 neighbour mac=52:54:00:00:00:04 name= id= confirmed",
		"2001:db8::3 host mac=52:54:00:00:00:03 name=three id=0:3:0:1:52:54:0:0:0:3",
		"2001:db8::100 lease mac=52:54:00:00:00:04 name= id=00:04:01:02",
		"2001:db8::100 neighbour mac=52:54:00:00:00:04 name= id=",
		"2001:db8::101 lease mac=52:54:00:00:00:05 name= id=00:01:00:01:2c:00:00:00:52:54:00:00:00:05",
		"2001:db8::102 lease mac=00:00:00:00:00:00 name= id=00:04:01:03",
		"fe80::4 neighbour mac=52:54:00:00:00:04 name= id= confirmed",
	}
	got, err := said(t, nets, "lan")
	require.NoError(t, err)
	require.Equal(t, want, got)

	n := 0
	for range nets.Addresses(ctx, "lan") {
		n++
		break
	}
	require.Equal(t, 1, n)

	require.NoError(t, m.Do(ctx, bridgeOf(t, s.Built).Inverse()), "the bridge is lost")
	got, err = said(t, nets, "lan")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Len(t, got, 8, "leases and hosts are known all the same")
}

// bridgeOf is the bridge that a plan makes.
func bridgeOf(t *testing.T, plan host.Plan) host.Op {
	t.Helper()
	for _, step := range plan {
		if bridge, ok := step.Op.(host.AddBridge); ok {
			return bridge
		}
	}
	t.Fatal("no bridge is made")
	return nil
}
