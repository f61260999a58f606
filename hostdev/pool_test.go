// SPDX-License-Identifier: Apache-2.0

package hostdev_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/hostdev"
)

func devices(names ...string) []hostdev.Device {
	var all []hostdev.Device
	for _, name := range names {
		all = append(all, hostdev.Device{Name: name})
	}
	return all
}

// functions are virtual functions without network devices.
func functions(n int) []hostdev.Device {
	all := make([]hostdev.Device, n)
	for i := range all {
		all[i].PCI = hostdev.Key{Domain: 1, Bus: uint32(i / 256), Slot: uint32(i/8) % 32, Function: uint32(i % 8)}
	}
	return all
}

func TestPoolOrder(t *testing.T) {
	p := hostdev.NewPool(devices("b", "a", "c", "a")...)
	require.Equal(t, devices("b", "a", "c"), p.Devices())
	var got []string
	for range 7 {
		d, ok := p.Least()
		require.True(t, ok)
		require.True(t, p.Take(d))
		got = append(got, d.String())
	}
	assert.Equal(t, "b a c b a c b", strings.Join(got, " "))
	_, ok := p.Free()
	assert.False(t, ok)

	c := hostdev.Device{Name: "c"}
	p.Give(c)
	p.Give(c)
	assert.Equal(t, 0, p.Users(c))
	d, ok := p.Free()
	assert.True(t, ok)
	assert.Equal(t, c, d)
	p.Give(c)
	assert.Equal(t, 0, p.Users(c), "never less than none")
}

func TestPoolOfNothing(t *testing.T) {
	p := hostdev.NewPool()
	_, ok := p.Least()
	assert.False(t, ok)
	_, ok = p.Free()
	assert.False(t, ok)
	assert.False(t, p.Take(hostdev.Device{Name: "x"}) || p.Give(hostdev.Device{Name: "x"}) || p.Has(hostdev.Device{}))
	assert.Empty(t, p.Obstacles(true, hostdev.Device.String))
	assert.Equal(t, "is not in the pool", p.Obstacle(hostdev.Device{Name: "x"}, false).String())
}

func TestPoolObstacles(t *testing.T) {
	all := append(devices("a", "b", "c"), functions(100)...)
	p := hostdev.NewPool(all...)
	p.Take(all[0])
	p.Share(all[1], hostdev.Reason("has addresses of the host"))
	p.Close(all[2], hostdev.Reason("is in bridge br0"))
	assert.Equal(t, "c is in bridge br0", p.Obstacles(false, hostdev.Device.String))
	assert.Equal(t, "a has users: 1; b has addresses of the host; c is in bridge br0", p.Obstacles(true, hostdev.Device.String))
	d, _ := p.Least()
	assert.Equal(t, "b", d.Name, "what has addresses can be shared")
	d, _ = p.Free()
	assert.Equal(t, "0001:00:00.0", d.String())
	p.Close(all[2], nil)
	d, _ = p.Free()
	assert.Equal(t, "c", d.Name)
	for _, d := range all[3:] {
		p.Take(d)
	}
	assert.Regexp(t, `^a has .*; 0001:00:00\.5 has users: 1; and so on for 94 more$`, p.Obstacles(true, hostdev.Device.String))
}

// plain is a pool as one would describe it: every choice looks at all devices.
type plain []struct {
	users          int
	closed, shared bool
}

func (m plain) least() int {
	best := -1
	for i, s := range m {
		if !s.closed && (best < 0 || s.users < m[best].users) {
			best = i
		}
	}
	return best
}

func (m plain) free() int {
	for i, s := range m {
		if !s.closed && !s.shared && s.users == 0 {
			return i
		}
	}
	return -1
}

func TestPoolAgreesWithPlain(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	for _, n := range []int{1, 2, 3, 7, 8, 9, 33} {
		all := functions(n)
		p, m := hostdev.NewPool(all...), make(plain, n)
		for range 2000 {
			i := random.IntN(n)
			switch d := all[i]; random.IntN(6) {
			case 0, 1:
				p.Take(d)
				m[i].users++
			case 2, 3:
				p.Give(d)
				m[i].users = max(0, m[i].users-1)
			case 4:
				m[i].closed = !m[i].closed
				p.Close(d, reasonIf(m[i].closed))
			case 5:
				m[i].shared = !m[i].shared
				p.Share(d, reasonIf(m[i].shared))
			}
			check := func(what string, want int, got hostdev.Device, ok bool) {
				require.Equal(t, want >= 0, ok, what)
				if ok {
					require.Equal(t, all[want], got, what)
				}
			}
			d, ok := p.Least()
			check("least", m.least(), d, ok)
			d, ok = p.Free()
			check("free", m.free(), d, ok)
			require.Equal(t, m[i].users, p.Users(all[i]))
		}
	}
}

func reasonIf(on bool) fmt.Stringer {
	if on {
		return hostdev.Reason("is busy")
	}
	return nil
}

// BenchmarkChoose chooses among virtual functions of which all but one are in use.
func BenchmarkChoose(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := functions(n)
			p := hostdev.NewPool(all...)
			for i, d := range all {
				if i != n/2 {
					p.Take(d)
				}
			}
			for b.Loop() {
				if d, ok := p.Free(); !ok || d != all[n/2] {
					b.Fatal(d, ok)
				}
				if d, ok := p.Least(); !ok || d != all[n/2] {
					b.Fatal(d, ok)
				}
			}
		})
	}
}

// BenchmarkTake gives the only free one of many virtual functions to a user and takes it back.
func BenchmarkTake(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := functions(n)
			p := hostdev.NewPool(all...)
			for _, d := range all[1:] {
				p.Take(d)
			}
			for b.Loop() {
				p.Take(all[0])
				p.Give(all[0])
			}
		})
	}
}
