// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

var (
	shapedBridge = host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 0, 9}}
	bothWays     = host.Shape{
		Link: "br0", Egress: host.NewLimit(1000, 5000, 1024), Ingress: host.NewLimit(128, 256, 256), Queue: host.BFIFO, Means: host.Redirect,
	}
	addBothWays = host.SetShape{Link: "br0", Shape: bothWays}
	someClass   = host.Class{Link: "br0", ID: 3, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 3}, Rate: 200}
)

// TestKernelNumbers compares what the kernel holds with numbers worked out by hand: rates in bytes per second, and bursts in
// units of 64 nanoseconds at that rate.
func TestKernelNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		limit host.Limit
		want  tc.Rates // of class 1:2
		text  string   // how tc reads it
	}{
		{"64 kbit/s", host.NewLimit(8, 0, 0), tc.Rates{Rate: 8_000, Ceil: 8_000, Buffer: 4_000_000, CBuffer: 4_000_000, Quantum: 1514}, "rate 64Kbit ceil 64Kbit"},
		{"a burst that would take too long", host.NewLimit(1, 0, host.MaxBurst), tc.Rates{Rate: 1_000, Ceil: 1_000, Buffer: 4_272_000_000, CBuffer: 32_000_000, Quantum: 1514}, "rate 8Kbit ceil 8Kbit"},
		{"1 Mbit/s", host.NewLimit(125, 0, 0), tc.Rates{Rate: 125_000, Ceil: 125_000, Buffer: 256_000, CBuffer: 256_000, Quantum: 1514}, "rate 1Mbit ceil 1Mbit"},
		{"10 Mbit/s", host.NewLimit(1250, 0, 0), tc.Rates{Rate: 1_250_000, Ceil: 1_250_000, Buffer: 153_600, CBuffer: 153_600, Quantum: 12_500}, "rate 10Mbit ceil 10Mbit"},
		{"100 Mbit/s", host.NewLimit(12_500, 0, 0), tc.Rates{Rate: 12_500_000, Ceil: 12_500_000, Buffer: 156_160, CBuffer: 156_160, Quantum: 125_000}, "rate 100Mbit ceil 100Mbit"},
		{"500 Mbit/s", host.NewLimit(62_500, 0, 0), tc.Rates{Rate: 62_500_000, Ceil: 62_500_000, Buffer: 156_672, CBuffer: 156_672, Quantum: 200_000}, "rate 500Mbit ceil 500Mbit"},
		{"1 Gbit/s", host.NewLimit(125_000, 0, 0), tc.Rates{Rate: 125_000_000, Ceil: 125_000_000, Buffer: 131_072, CBuffer: 131_072, Quantum: 200_000}, "rate 1Gbit ceil 1Gbit"},
		{"25 Gbit/s", host.NewLimit(3_125_000, 0, 0), tc.Rates{Rate: 3_125_000_000, Ceil: 3_125_000_000, Buffer: 15_621, CBuffer: 15_621, Quantum: 200_000}, "rate 25Gbit ceil 25Gbit"},
		{"40 Gbit/s", host.NewLimit(5_000_000, 0, 0), tc.Rates{Rate: 5_000_000_000, Ceil: 5_000_000_000, Buffer: 15_622, CBuffer: 15_622, Quantum: 200_000}, "rate 40Gbit ceil 40Gbit"},
		{"8 Mbit/s", host.NewLimit(1000, 5000, 1024), tc.Rates{Rate: 1_000_000, Ceil: 5_000_000, Buffer: 16_384_000, CBuffer: 156_800, Quantum: 10_000}, "rate 8Mbit ceil 40Mbit"},
		{"10 Gbit/s", host.NewLimit(1_250_000, 0, 1024), tc.Rates{Rate: 1_250_000_000, Ceil: 1_250_000_000, Buffer: 13_107, CBuffer: 15_616, Quantum: 200_000}, "rate 10Gbit ceil 10Gbit"},
		{"just above 32 bits", host.NewLimit(4_294_968, 0, 0), tc.Rates{Rate: 4_294_968_000, Ceil: 4_294_968_000, Buffer: 15_624, CBuffer: 15_624, Quantum: 200_000}, "rate 34359Mbit ceil 34359Mbit"},
		{"100 Gbit/s", host.NewLimit(12_500_000, 25_000_000, 0), tc.Rates{Rate: 12_500_000_000, Ceil: 25_000_000_000, Buffer: 15_625, CBuffer: 15_625, Quantum: 200_000}, "rate 100Gbit ceil 200Gbit"},
		{"the most", host.NewLimit(host.MaxRate, 0, host.MaxBurst),
			tc.Rates{Rate: 18_014_398_509_481_984_000, Ceil: 18_014_398_509_481_984_000, Buffer: 1, CBuffer: 1, Quantum: 200_000}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShaper(t, 0)
			op := host.SetShape{Link: "br0", Shape: host.Shape{Link: "br0", Egress: c.limit, Queue: host.BFIFO}}
			s.do(t, op)
			classes, err := s.tc.Classes(s.index(t, named("br0")))
			require.NoError(t, err)
			require.Len(t, classes, 2)
			for _, class := range classes {
				if class.Handle == tc.MakeHandle(1, 1) {
					class.Rates.Quantum = c.want.Quantum // which the kernel does not use
				}
				require.Equal(t, c.want, class.Rates, class.Handle.String())
			}
			f, err := s.backend.Facts(t.Context(), op.Scope())
			require.NoError(t, err)
			require.True(t, op.Holds(f), "%s", f)
			require.Contains(t, s.ns.Output(t, "tc", "class", "show", "dev", "br0", "classid", "1:2"), c.text)
		})
	}
}

// TestQueueNumbers compares queues with numbers worked out by hand: a tenth of a second at the rate in bytes, but not less
// than a largest packet; in 1,514 bytes a packet; and in time, one and a half frames.
func TestQueueNumbers(t *testing.T) {
	for _, c := range []struct {
		name            string
		rate, ceil      uint64
		bfifo, sfq      uint32
		memory, fqDelay uint32
	}{
		{"nothing", 0, 0, 69_632, 45, 278_528, 2_271_104},
		{"64 kbit/s", 8, 8, 69_632, 45, 278_528, 283_904},
		{"1 Mbit/s", 125, 125, 69_632, 45, 278_528, 18_176},
		{"10 Mbit/s", 1250, 1250, 125_000, 82, 500_000, 4_992},
		{"100 Mbit/s", 12_500, 12_500, 1_250_000, 127, 5_000_000, 4_992},
		{"1 Gbit/s", 125_000, 125_000, 12_500_000, 127, 33_554_432, 4_992},
		{"100 Gbit/s", 12_500_000, 12_500_000, 67_108_864, 127, 33_554_432, 4_992},
		{"a guarantee of 20 Mbit/s, up to 1 Gbit/s", 2500, 125_000, 250_000, 127, 1_000_000, 4_992},
		{"a guarantee of 8 kbit/s, up to 20 Mbit/s", 1, 2500, 196_608, 127, 786_432, 2_271_104},
		{"the most", host.MaxRate, host.MaxRate, 67_108_864, 127, 33_554_432, 4_992},
	} {
		for _, want := range []tc.Queue{{Kind: "bfifo", Limit: c.bfifo}, {Kind: "sfq", Limit: c.sfq}, {Kind: "fq_codel", Limit: c.memory, Target: c.fqDelay}} {
			require.Equal(t, want, linux.QueueOf(host.Queue(want.Kind), c.rate, c.ceil), c.name)
		}
	}
}

// TestShapeDriftIsSeen changes a shape behind the backend's back. It is seen, cannot be taken for whole, can be mended, and
// can be taken away.
func TestShapeDriftIsSeen(t *testing.T) {
	t.Parallel()
	testenv.NeedProgram(t, "tc")
	for name, c := range map[string]struct{ command, other string }{
		"rate":                {"tc class change dev br0 parent 1: classid 1:1 htb rate 7mbit ceil 40mbit burst 1mb", "class 1:1"},
		"rate of the rest":    {"tc class change dev br0 parent 1:1 classid 1:2 htb rate 8mbit ceil 40mbit", "class 1:2"},
		"ceiling of a class":  {"tc class change dev br0 parent 1:1 classid 1:3 htb rate 1600kbit ceil 8mbit", "class 1:3"},
		"an odd rate":         {"tc class change dev br0 parent 1: classid 1:1 htb rate 8000008bit ceil 40mbit", "class 1:1"},
		"queue":               {"tc qdisc replace dev br0 parent 1:2 pfifo", "class 1:3 without its queue"},
		"no queue":            {"tc qdisc del dev br0 parent 1:2", "class 1:3 without its queue"},
		"length of the queue": {"tc qdisc replace dev br0 parent 1:2 bfifo limit 1000000", "class 1:2 without its queue"},
		"default":             {"tc qdisc change dev br0 root handle 1: htb default 3", ""},
		"no redirection":      {"tc filter del dev br0 ingress", "no filter to link"},
		"no place for it":     {"tc qdisc del dev br0 clsact", "no filter to link"},
		"device down":         {"ip link set IFB down", "down"},
		"device without root": {"tc qdisc del dev IFB root", "no qdisc of what is received"},
		"device gone":         {"ip link del IFB", "a filter to a link that is gone"},
		"root gone":           {"tc qdisc del dev br0 root", ""},
		"root of another":     {"tc qdisc replace dev br0 root handle 7: pfifo", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, ns := open(t)
			require.NoError(t, b.Do(t.Context(), shapedBridge))
			before := ns.Snapshot(t)
			require.NoError(t, b.Do(t.Context(), addBothWays))
			require.NoError(t, b.Do(t.Context(), host.AddClass(someClass)))
			device := strings.Fields(ns.Output(t, "ip", "-br", "link", "show", "type", "ifb"))[0]
			command := strings.Fields(strings.ReplaceAll(c.command, "IFB", device))
			if out, err := ns.Command(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
				t.Skipf("the kernel refuses the change: %s", out) // htb has no default that can be changed
			}
			for _, scope := range []host.Scope{addBothWays.Scope(), {All: true}} {
				f, err := b.Facts(t.Context(), scope)
				require.NoError(t, err)
				require.False(t, addBothWays.Holds(f), "%s", f)
				require.Contains(t, f.Shape("br0").Other, c.other)
			}
			f, err := b.Facts(t.Context(), addBothWays.Scope())
			require.NoError(t, err)
			mend := addBothWays
			if is := f.Shape("br0"); is.Other != "" {
				mend.Was = mend.Shape
			} else {
				mend.Was = is
			}
			if err := b.Do(t.Context(), mend); strings.HasPrefix(name, "root of") {
				require.ErrorIs(t, err, fs.ErrExist, "what somebody else put there stays")
				return
			} else {
				require.NoError(t, err)
			}
			f, err = b.Facts(t.Context(), addBothWays.Scope())
			require.NoError(t, err)
			require.True(t, addBothWays.Holds(f), "%s", f)
			if name != "root gone" {
				require.NoError(t, b.Do(t.Context(), host.DelClass(someClass)))
			}
			require.NoError(t, b.Do(t.Context(), addBothWays.Inverse()))
			ns.Unchanged(t, before, "after all of it")
		})
	}
}

// TestShapeLeftHalfMade cuts a shape short at each of the messages that make it, as far as tc can, and takes it back.
func TestShapeLeftHalfMade(t *testing.T) {
	t.Parallel()
	testenv.NeedProgram(t, "tc")
	for name, commands := range map[string][]string{
		"root alone":           {"tc qdisc add dev br0 root handle 1: htb default 2"},
		"one class":            {"tc qdisc add dev br0 root handle 1: htb default 2", "tc class add dev br0 parent 1: classid 1:1 htb rate 8mbit ceil 40mbit burst 1mb"},
		"a class without more": {"tc qdisc add dev br0 root handle 1: htb default 2", "tc class add dev br0 parent 1:1 classid 1:2 htb rate 8mbit ceil 40mbit burst 1mb"},
	} {
		t.Run(name, func(t *testing.T) {
			b, ns := open(t)
			require.NoError(t, b.Do(t.Context(), shapedBridge))
			before := ns.Snapshot(t)
			for _, command := range commands {
				words := strings.Fields(command)
				_, _ = ns.Command(t.Context(), words[0], words[1:]...).CombinedOutput()
			}
			require.ErrorIs(t, b.Do(t.Context(), addBothWays), fs.ErrExist)
			require.NoError(t, b.Do(t.Context(), addBothWays.Inverse()))
			ns.Unchanged(t, before, "after taking it back")
			require.ErrorIs(t, b.Do(t.Context(), addBothWays.Inverse()), fs.ErrNotExist)
		})
	}
}

// TestShapeIsAllOrNothing has somebody else own the name of the device that is needed last.
func TestShapeIsAllOrNothing(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	require.NoError(t, b.Do(t.Context(), shapedBridge))
	require.NoError(t, b.Do(t.Context(), addBothWays))
	device := strings.Fields(ns.Output(t, "ip", "-br", "link", "show", "type", "ifb"))[0]
	require.NoError(t, b.Do(t.Context(), addBothWays.Inverse()))
	ns.Output(t, "ip", "link", "add", device, "type", "ifb")
	before := ns.Snapshot(t)
	require.ErrorIs(t, b.Do(t.Context(), addBothWays), fs.ErrExist)
	ns.Unchanged(t, before, "after the refusal")

	sent := host.SetShape{Link: "br0", Shape: host.Shape{Link: "br0", Egress: host.NewLimit(9, 0, 0), Queue: host.BFIFO}}
	require.NoError(t, b.Do(t.Context(), sent))
	before = ns.Snapshot(t)
	require.ErrorIs(t, b.Do(t.Context(), host.SetShape{Link: "br0", Shape: bothWays, Was: sent.Shape}), fs.ErrExist)
	ns.Unchanged(t, before, "after the refused change")
	f, err := b.Facts(t.Context(), sent.Scope())
	require.NoError(t, err)
	require.True(t, sent.Holds(f))
}

// TestShapeEndsWithItsLink removes links with their shape, by the backend and behind its back.
func TestShapeEndsWithItsLink(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	before := ns.Snapshot(t)
	for _, behind := range []bool{false, true} {
		require.NoError(t, b.Do(t.Context(), shapedBridge))
		require.NoError(t, b.Do(t.Context(), addBothWays))
		if !behind {
			require.NoError(t, b.Do(t.Context(), shapedBridge.Inverse()))
			ns.Unchanged(t, before, "after removing the link")
			continue
		}
		ns.Output(t, "ip", "link", "del", "br0")
		for _, scope := range []host.Scope{addBothWays.Scope(), {All: true}} {
			f, err := b.Facts(t.Context(), scope)
			require.NoError(t, err)
			require.Contains(t, f.Shape("br0").Other, "the link is gone")
			require.Len(t, f.Links, len(f.Links))
		}
		require.ErrorIs(t, b.Do(t.Context(), shapedBridge.Inverse()), fs.ErrNotExist)
		ns.Unchanged(t, before, "what is left of the shape goes too")
	}
	require.NoError(t, b.Do(t.Context(), shapedBridge))
	require.NoError(t, b.Do(t.Context(), addBothWays))
	ns.Output(t, "ip", "link", "del", "br0")
	require.NoError(t, b.Do(t.Context(), addBothWays.Inverse()))
	ns.Unchanged(t, before, "the shape alone can be taken away")
	require.ErrorIs(t, b.Do(t.Context(), addBothWays.Inverse()), fs.ErrNotExist)
}

// TestForeignRootStays puts a queueing discipline of somebody else in the way.
func TestForeignRootStays(t *testing.T) {
	testenv.NeedProgram(t, "tc")
	b, ns := open(t)
	require.NoError(t, b.Do(t.Context(), shapedBridge))
	ns.Output(t, "tc", "qdisc", "add", "dev", "br0", "root", "handle", "1:", "tbf", "rate", "1mbit", "burst", "10k", "limit", "10k")
	before := ns.Snapshot(t)
	require.ErrorIs(t, b.Do(t.Context(), addBothWays), fs.ErrExist)
	require.ErrorIs(t, b.Do(t.Context(), addBothWays.Inverse()), fs.ErrNotExist)
	require.ErrorIs(t, b.Do(t.Context(), host.AddClass(someClass)), fs.ErrNotExist)
	ns.Unchanged(t, before, "after what was refused")
}

// TestClassesComeAtOnce adds guarantees from many goroutines and two backends. What is left for the rest is right in the end.
func TestClassesComeAtOnce(t *testing.T) {
	b, ns := open(t)
	other, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	require.NoError(t, b.Do(t.Context(), shapedBridge))
	require.NoError(t, b.Do(t.Context(), host.SetShape{Link: "br0", Shape: host.Shape{Link: "br0", Egress: host.NewLimit(5000, 0, 0), Queue: host.BFIFO}}))
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		backend := b
		if i%2 == 1 {
			backend = other
		}
		wg.Go(func() {
			errs[i] = backend.Do(t.Context(), host.AddClass{Link: "br0", ID: uint16(3 + i), MAC: host.MAC{2, 1, 0, 0, byte(i), 7}, Rate: 100})
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	f, err := b.Facts(t.Context(), host.Scope{Shapes: []string{"br0"}})
	require.NoError(t, err)
	require.Len(t, f.Classes, 40)
	require.Empty(t, f.Shape("br0").Other)
	require.Contains(t, ns.Output(t, "tc", "class", "show", "dev", "br0", "classid", "1:2"), "rate 8Mbit")
}

// BenchmarkAddClass adds and removes a guarantee beside a thousand.
func BenchmarkAddClass(b *testing.B) {
	for _, n := range []int{0, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			backend, _ := open(b)
			do := func(op host.Op) {
				if err := backend.Do(b.Context(), op); err != nil {
					b.Fatal(err)
				}
			}
			do(shapedBridge)
			do(host.SetShape{Link: "br0", Shape: host.Shape{Link: "br0", Egress: host.NewLimit(1_000_000, 0, 0), Queue: host.BFIFO}})
			for i := range n {
				do(host.AddClass{Link: "br0", ID: uint16(4 + i), MAC: host.MAC{2, 1, 0, 1, byte(i >> 8), byte(i)}, Rate: 1})
			}
			b.ResetTimer()
			for b.Loop() {
				do(host.AddClass(someClass))
				do(host.DelClass(someClass))
			}
		})
	}
}
