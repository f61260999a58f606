// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// fleet is how many networks are started, and run while everything is restarted.
const fleet = 20

// BenchmarkBeside_libvirt does the same for the same documents by the library and by a libvirtd that runs.
func BenchmarkBeside_libvirt(b *testing.B) {
	testenv.NeedRoot(b)
	testenv.NeedLibvirt(b)
	lv := libvirt{testenv.StartLibvirt(b), b}
	d := newBed(b)
	for _, dhcp := range []bool{true, false} {
		var starts, stops [2][]time.Duration
		n := natNetwork(b, 0, dhcp)
		d.define(b, n)
		theirs := lv.write(natNetwork(b, 100, dhcp))
		own := d.own(b, n.Name)
		for range 7 {
			starts[0], stops[0] = append(starts[0], lv.time("net-create", theirs)), append(stops[0], lv.time("net-destroy", "net100"))
			began := time.Now()
			require.NoError(b, own.do())
			starts[1] = append(starts[1], time.Since(began))
			began = time.Now()
			require.NoError(b, own.undo())
			stops[1] = append(stops[1], time.Since(began))
		}
		b.Run(fmt.Sprintf("start/dhcp=%t", dhcp), func(b *testing.B) { faster(b, "libvirt", starts) })
		b.Run(fmt.Sprintf("stop/dhcp=%t", dhcp), func(b *testing.B) { faster(b, "libvirt", stops) })
	}
	benchmarkFleet(b, lv, d)
	benchmarkForks(b, d)
}

// benchmarkFleet starts many networks, restarts what looks after them, and stops them. Libvirt starts and stops them one after the other.
func benchmarkFleet(b *testing.B, lv libvirt, d *bed) {
	var start, restart, stop [2][]time.Duration
	var names []string
	var theirs time.Duration
	for i := range fleet {
		n := natNetwork(b, i, true)
		d.define(b, n)
		names = append(names, n.Name)
		theirs += lv.time("net-create", lv.write(natNetwork(b, 100+i, true)))
	}
	began := time.Now()
	require.NoError(b, d.nets.StartMany(b.Context(), names...))
	start = [2][]time.Duration{{theirs}, {time.Since(began)}}

	lv.Stop()
	began = time.Now()
	lv.Start()
	theirs = time.Since(began)
	began = time.Now()
	_, backend, err := d.open(b.Context())
	restart = [2][]time.Duration{{theirs}, {time.Since(began)}}
	require.NoError(b, err)
	require.NoError(b, backend.Close())

	theirs = 0
	for i := range fleet {
		theirs += lv.time("net-destroy", fmt.Sprintf("net%d", 100+i))
	}
	began = time.Now()
	require.NoError(b, d.nets.StopMany(b.Context(), names...))
	stop = [2][]time.Duration{{theirs}, {time.Since(began)}}
	size := fmt.Sprintf("/networks=%d", fleet)
	b.Run("start_all"+size, func(b *testing.B) { faster(b, "libvirt", start) })
	b.Run("restart"+size, func(b *testing.B) { faster(b, "libvirt", restart) })
	b.Run("stop_all"+size, func(b *testing.B) { faster(b, "libvirt", stop) })
}

// benchmarkForks does what libvirt starts programs for: the rules of a network, and the limit of a port.
func benchmarkForks(b *testing.B, d *bed) {
	set := filterOf(b, d.define(b, natNetwork(b, 0, false)))
	ours := work{func() error { return d.backend.Do(b.Context(), set) }, func() error { return d.backend.Do(b.Context(), set.Inverse()) }}
	// As many as libvirt 9 has for a NAT network.
	const rules = 19
	iptables := func(what string) func() error {
		return func() error {
			for i := range rules {
				if err := exec.Command("iptables", "-w", what, "FORWARD", "-i", fmt.Sprintf("gone%d", i), "-j", "ACCEPT").Run(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	forks := work{iptables("-I"), iptables("-D")}
	// The kernel has time to take away what was deleted before anybody adds, as where networks come and go.
	settled := func(w work) work {
		return work{w.do, func() error { defer time.Sleep(30 * time.Millisecond); return w.undo() }}
	}
	b.Run("rules_add", func(b *testing.B) { faster(b, "iptables", takeTurns(b, doing, settled(forks), settled(ours))) })
	b.Run("rules_delete", func(b *testing.B) { faster(b, "iptables", takeTurns(b, undoing, forks, ours)) })

	d.addTaps(b, 2)
	limit := host.SetShape{Link: "p0", Shape: host.Shape{Link: "p0", Egress: host.NewLimit(1000, 5000, 1024), Queue: d.bestQueue(b)}}
	shape := work{func() error { return d.backend.Do(b.Context(), limit) }, func() error { return d.backend.Do(b.Context(), limit.Inverse()) }}
	tc := work{
		func() error {
			_ = exec.Command("tc", "qdisc", "del", "dev", "p1", "root").Run() // there is none, and it is tried nevertheless
			_ = exec.Command("tc", "qdisc", "del", "dev", "p1", "ingress").Run()
			for _, args := range [][]string{
				{"qdisc", "add", "dev", "p1", "root", "handle", "1:", "htb", "default", "1"},
				{"class", "add", "dev", "p1", "parent", "1:", "classid", "1:1", "htb", "rate", "1000kbps", "ceil", "5000kbps", "burst", "1024kb"},
				{"qdisc", "add", "dev", "p1", "parent", "1:1", "handle", "2:", string(d.bestQueue(b)), "limit", "100000"},
				{"filter", "add", "dev", "p1", "parent", "1:0", "protocol", "all", "prio", "1", "u32", "match", "u32", "0", "0", "flowid", "1:1"},
			} {
				if out, err := exec.Command("tc", args...).CombinedOutput(); err != nil {
					return fmt.Errorf("tc %v: %w: %s", args, err, out)
				}
			}
			return nil
		},
		func() error { return exec.Command("tc", "qdisc", "del", "dev", "p1", "root").Run() },
	}
	b.Run("shape_a_port", func(b *testing.B) { faster(b, "tc", takeTurns(b, doing, tc, shape)) })
}

// A libvirt is a daemon that is asked as fast as it can be.
type libvirt struct {
	*testenv.Libvirt
	b *testing.B
}

// write writes the document of a network for virsh.
func (lv libvirt) write(n *network.Network) (file string) {
	lv.b.Helper()
	text, err := n.Format()
	require.NoError(lv.b, err)
	return lv.Write("/run/"+n.Name+".xml", string(text))
}

var virshTime = regexp.MustCompile(`\(Time: ([0-9.]+) ms\)`)

// time is what virsh says that a call took, which is without its own start and its connection.
func (lv libvirt) time(args ...string) time.Duration {
	lv.b.Helper()
	found := virshTime.FindStringSubmatch(lv.Virsh(append([]string{"--timing"}, args...)...))
	require.Len(lv.b, found, 2)
	millis, err := strconv.ParseFloat(found[1], 64)
	require.NoError(lv.b, err)
	return time.Duration(millis * float64(time.Millisecond))
}

// faster reports how many times faster the library is than somebody else.
func faster(b *testing.B, who string, pairs [2][]time.Duration) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(micros(pairs[0]), who+"-µs")
	b.ReportMetric(micros(pairs[1]), "own-µs")
	b.ReportMetric(1/times(pairs), "faster")
}
