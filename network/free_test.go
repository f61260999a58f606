// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// TestFreeSubnetProperties compares with a search through all subnets, in pools that are small enough for it: the subnet is the
// first that overlaps nothing, and there is none only where none is.
func TestFreeSubnetProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	full := 0
	for range 3000 {
		pool, size := netip.MustParsePrefix("10.1.0.0/16"), 32
		if r.IntN(2) == 0 {
			pool, size = netip.MustParsePrefix("2001:db8::/112"), 128
		}
		if r.IntN(4) == 0 { // the last of all addresses
			pool = netip.MustParsePrefix("255.255.0.0/16")
			size = 32
		}
		bits := pool.Bits() + r.IntN(9)
		var used []netip.Prefix
		for range r.IntN(40) {
			a := pool.Addr().AsSlice()
			binary.BigEndian.PutUint16(a[len(a)-2:], uint16(r.Uint32()))
			if r.IntN(8) == 0 {
				a[0]++ // elsewhere
			}
			addr, _ := netip.AddrFromSlice(a)
			used = append(used, netip.PrefixFrom(addr, size-r.IntN(17)))
		}
		var want netip.Prefix
		step := 1 << (size - bits)
		for i := 0; i < 1<<16; i += step {
			a := pool.Addr().AsSlice()
			binary.BigEndian.PutUint16(a[len(a)-2:], uint16(i))
			addr, _ := netip.AddrFromSlice(a)
			p := netip.PrefixFrom(addr, bits)
			if !slices.ContainsFunc(used, p.Overlaps) {
				want = p
				break
			}
		}
		got, err := network.FreeSubnet(pool, bits, used)
		if !want.IsValid() {
			full++
			require.ErrorIs(t, err, network.ErrFull, "%s %d %v", pool, bits, used)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, got, "%s %d %v", pool, bits, used)
		r.Shuffle(len(used), func(i, j int) { used[i], used[j] = used[j], used[i] })
		again, err := network.FreeSubnet(pool, bits, used)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	require.Greater(t, full, 100)
	require.Less(t, full, 2500)
}

func TestFreeSubnetRefuses(t *testing.T) {
	for _, c := range []struct {
		pool string
		bits int
	}{{"10.0.0.0/8", 7}, {"10.0.0.0/8", 33}, {"fd00::/8", 129}, {"::ffff:10.0.0.0/104", 120}} {
		pool, err := netip.ParsePrefix(c.pool)
		require.NoError(t, err)
		_, err = network.FreeSubnet(pool, c.bits, nil)
		require.ErrorIs(t, err, fs.ErrInvalid, c.pool)
	}
	_, err := network.FreeSubnet(netip.Prefix{}, 24, nil)
	require.ErrorIs(t, err, fs.ErrInvalid)
	got, err := network.FreeSubnet(netip.MustParsePrefix("fd00::/8"), 64, []netip.Prefix{netip.MustParsePrefix("fd00::/9"), netip.MustParsePrefix("0.0.0.0/0")})
	require.NoError(t, err)
	require.Equal(t, "fd80::/64", got.String())
}

// constant is randomness that is none.
type constant byte

func (c constant) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(c)
	}
	return len(b), nil
}

func TestManagerFreeSubnet(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	require.NoError(t, m.Do(ctx, host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("192.168.128.7/23")}))
	require.NoError(t, m.Do(ctx, host.AddRoute{Dest: netip.MustParsePrefix("192.168.131.0/24"), Gateway: netip.MustParseAddr("192.168.128.1"), Link: "eth0", Metric: 1}))
	nets, err := network.Config{Rand: constant(7)}.Open(ctx, m, network.Memory())
	require.NoError(t, err)
	free := func(w network.SubnetWish) string {
		t.Helper()
		p, err := nets.FreeSubnet(ctx, w)
		require.NoError(t, err)
		return p.String()
	}
	require.Equal(t, "192.168.130.0/24", free(network.SubnetWish{}))
	require.NoError(t, nets.Define(ctx, parse(t, `<network><name>a</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid><mac address='52:54:00:00:00:01'/><bridge name='a0'/>
<ip address='192.168.130.1' prefix='24'/><ip family='ipv6' address='fd07:707:707::1' prefix='64'/>
<route address='192.168.132.0' prefix='24' gateway='192.168.130.2'/></network>`)))
	require.Equal(t, "192.168.133.0/24", free(network.SubnetWish{}))
	require.NoError(t, nets.Create(ctx, parse(t, `<network><name>b</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8fa</uuid><mac address='52:54:00:00:00:02'/><bridge name='b0'/><ip address='192.168.133.1' prefix='24'/></network>`)))
	require.Equal(t, "192.168.134.0/24", free(network.SubnetWish{}))
	require.Equal(t, "172.16.0.0/12", free(network.SubnetWish{Bits: 12}))
	require.Equal(t, "fd07:707:707:1::/64", free(network.SubnetWish{Family: network.IPv6}))
	require.Equal(t, "2001:db8::/64", free(network.SubnetWish{Family: network.IPv6, Pools: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}}))

	_, err = nets.FreeSubnet(ctx, network.SubnetWish{Pools: []netip.Prefix{netip.MustParsePrefix("192.168.130.0/24")}})
	require.ErrorIs(t, err, network.ErrFull)
	_, err = nets.FreeSubnet(ctx, network.SubnetWish{Pools: []netip.Prefix{netip.MustParsePrefix("fd00::/8")}})
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = nets.FreeSubnet(ctx, network.SubnetWish{Bits: 7})
	require.ErrorIs(t, err, fs.ErrInvalid)

	// A network with it starts.
	chosen := free(network.SubnetWish{})
	addr := netip.MustParsePrefix(chosen).Addr().Next()
	require.NoError(t, nets.Create(ctx, parse(t, strings.ReplaceAll(`<network><name>c</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8fb</uuid><mac address='52:54:00:00:00:03'/><bridge name='c0'/><ip address='ADDR' prefix='24'/></network>`, "ADDR", addr.String()))))
}

func TestFreeMAC(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		used := map[schema.MAC]bool{}
		start := r.Uint32N(1 << 24)
		for i := range r.Uint32N(600) { // what comes next is in use, around the end and over bytes
			used[numberedMAC(start+i)] = true
		}
		bytes3 := numberedMAC(start)
		got, err := network.FreeMAC(bytes.NewReader(bytes3[3:]), func(m schema.MAC) bool { return used[m] })
		require.NoError(t, err)
		require.False(t, used[got])
		require.False(t, got.IsMulticast())
		require.Equal(t, []byte{0x52, 0x54, 0}, got[:3])
		require.Equal(t, numberedMAC(start+uint32(len(used))), got)
	}
	_, err := network.FreeMAC(constant(0), func(schema.MAC) bool { return true })
	require.ErrorIs(t, err, network.ErrFull)
	_, err = network.FreeMAC(bytes.NewReader(nil), func(schema.MAC) bool { return false })
	require.ErrorIs(t, err, io.EOF)
}

func numberedMAC(n uint32) schema.MAC {
	return schema.MAC{0x52, 0x54, 0, byte(n >> 16), byte(n >> 8), byte(n)}
}

func TestManagerFreeMAC(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets, err := network.Config{Rand: constant(0)}.Open(ctx, m, network.Memory())
	require.NoError(t, err)
	require.NoError(t, m.Do(ctx, host.AddBridge{Link: "br9", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 0}}))
	require.NoError(t, nets.Create(ctx, parse(t, `<network><name>a</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid><mac address='52:54:00:00:00:01'/><bridge name='a0'/>
<ip address='10.1.1.1' prefix='24'><dhcp><host mac='52:54:00:00:00:02' ip='10.1.1.2'/></dhcp></ip></network>`)))
	require.NoError(t, nets.Define(ctx, parse(t, `<network><name>b</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8fa</uuid><mac address='52:54:00:00:00:03'/><bridge name='b0'/></network>`)))
	for i, text := range []string{
		`<networkport><uuid>7f7a3a4c-5d6e-4f70-8192-a3b4c5d6e7f8</uuid><owner><name>web</name></owner><mac address='52:54:00:00:00:04'/></networkport>`,
	} {
		p, err := network.ParsePort(strings.NewReader(text))
		require.NoError(t, err)
		_, err = nets.CreatePort(ctx, network.PortRequest{Network: []string{"a"}[i], Port: p})
		require.NoError(t, err)
	}
	got, err := nets.FreeMAC(ctx)
	require.NoError(t, err)
	require.Equal(t, "52:54:00:00:00:05", got.String())
}
