// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A pressure is what a program asks of servers, as fast as they answer.
type pressure struct {
	program string
	// dnsmasq are options that only the program gets, so that it is not slower than it could be.
	dnsmasq []string
	// rate asks the server at 10.9.0.1 for some seconds and tells how much was answered in each.
	rate func(t *testing.T, guest *testenv.Namespace, round int) float64
}

var pressures = map[string]pressure{
	// Each lease is another guest's. dnsmasq looks whether an address answers already; without that it is faster.
	"leases": {"perfdhcp", []string{"no-ping"}, func(t *testing.T, guest *testenv.Namespace, round int) float64 {
		mac := fmt.Sprintf("mac=00:0c:%02x:00:00:00", round)
		// It ends with an error where something was not answered, which is the rule here.
		out, _ := guest.Command(t.Context(), "perfdhcp", "-4", "-l", "10.9.250.1", "-R", "5000", "-b", mac, "-r", "10000", "-p", "2", "10.9.0.1").CombinedOutput()
		return number(t, string(out), `Rate: ([0-9.]+)`)
	}},
	"names of the network": {"dnsperf", nil, func(t *testing.T, guest *testenv.Namespace, _ int) float64 {
		return questions(t, guest, 100, func(k int) string { return fmt.Sprintf("host%d.lab.example A\n", k) })
	}},
	"names that were asked before": {"dnsperf", nil, func(t *testing.T, guest *testenv.Namespace, _ int) float64 {
		return questions(t, guest, 100, func(k int) string { return fmt.Sprintf("www%d.example.org A\n", k) })
	}},
	"names that others know": {"dnsperf", nil, func(t *testing.T, guest *testenv.Namespace, round int) float64 {
		return questions(t, guest, 200_000, func(k int) string { return fmt.Sprintf("www%d-%d.example.org A\n", round, k) })
	}},
}

// questions asks these questions for two seconds, again and again.
func questions(t *testing.T, guest *testenv.Namespace, count int, question func(k int) string) float64 {
	t.Helper()
	var text strings.Builder
	for k := range count {
		text.WriteString(question(k))
	}
	file := filepath.Join(t.TempDir(), "questions")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	out := guest.Output(t, "dnsperf", "-s", "10.9.0.1", "-d", file, "-l", "2", "-t", "1")
	return number(t, out, `Queries per second: +([0-9.]+)`)
}

// number finds a number in the words of a program.
func number(t *testing.T, words, pattern string) float64 {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(words)
	require.NotNil(t, m, "no %q in %s", pattern, words)
	n, err := strconv.ParseFloat(m[1], 64)
	require.NoError(t, err)
	return n
}

// loaded is a network for thousands of guests with a hundred names, which asks 10.9.0.2 about others.
func loaded() host.Serve {
	op := serve4()
	s := &op.Server
	s.Domain, s.LocalDomain = "lab.example", true
	s.Subnets[0] = host.Subnet{
		Prefix: netip.MustParsePrefix("10.9.0.1/16"),
		Ranges: []host.Range{{Start: netip.MustParseAddr("10.9.1.0"), End: netip.MustParseAddr("10.9.200.255")}},
	}
	s.DNS = &host.DNS{Forwarders: []host.Forwarder{{Addr: netip.MustParseAddr("10.9.0.2")}}}
	for i := range byte(100) {
		s.DNS.Hosts = append(s.DNS.Hosts, host.NameRecord{Addr: netip.AddrFrom4([4]byte{10, 9, 0, 100 + i}), Names: []string{fmt.Sprintf("host%d.lab.example", i)}})
	}
	return op
}

// knowsAll answers every question for an address, at 10.9.0.2 in a place, until the test ends.
func (p *place) knowsAll(t *testing.T) {
	p.ns.Output(t, "ip", "addr", "add", "10.9.0.2/32", "dev", "lo")
	var conn net.PacketConn
	p.ns.Run(t, func() {
		var err error
		conn, err = net.ListenPacket("udp", "10.9.0.2:53")
		require.NoError(t, err)
	})
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			answer := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true},
				Questions: m.Questions,
				Answers:   []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 600}, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}}},
			}
			if packet, err := answer.Pack(); err == nil {
				_, _ = conn.WriteTo(packet, from)
			}
		}
	}()
}

// filesInMemory has the files of a test where a reboot clears them, as those of running servers are to be. dnsmasq waits for the
// disk with each lease, and here it has none to wait for.
func filesInMemory(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm")
	}
}

// measure has tests compare speeds. They are no part of the others: a machine that does something else gets them wrong.
var measure = flag.Bool("measure", false, "compare speeds as well")

func needMeasure(t *testing.T) {
	t.Helper()
	if !*measure {
		testenv.Skip(t, "compares speeds, with -measure (make bench)")
	}
}

// TestLoad asks both kinds of servers in turns, so that what else the machine does is the same for both, and compares the
// middle of the last rounds. Where that is less than dnsmasq's it goes on for some more: the machine does other things too.
func TestLoad(t *testing.T) {
	needMeasure(t)
	filesInMemory(t)
	for what, l := range pressures {
		t.Run(what, func(t *testing.T) {
			testenv.NeedProgram(t, l.program)
			l.compare(t)
		})
	}
}

func (l pressure) compare(t *testing.T) {
	const fewest, most = 3, 12
	var rates [2][]float64
	var guests [2]*testenv.Namespace
	for k, change := range []func(*linux.Config){func(*linux.Config) {}, inProcess} {
		p := newPlace(t, change)
		p.ns.Output(t, "ip", "addr", "add", "10.9.0.1/16", "dev", "br0")
		p.knowsAll(t)
		guests[k] = p.guest(t, "port1", "52:54:00:00:00:01")
		guests[k].Output(t, "ip", "addr", "add", "10.9.250.1/16", "dev", "eth0")
		op := loaded()
		if k == 0 {
			op.Server.Options = l.dnsmasq
		}
		do(t, p.Backend, op)
		defer do(t, p.Backend, op.Inverse())
	}
	for round := range most {
		for k := range rates {
			rates[k] = append(rates[k], l.rate(t, guests[k], round))
		}
		last := max(0, len(rates[0])-fewest)
		dnsmasq, here := middle(rates[0][last:]), middle(rates[1][last:])
		t.Logf("dnsmasq %.0f, here %.0f in a second: %.2f times as many", dnsmasq, here, here/dnsmasq)
		if round+1 >= fewest && here >= dnsmasq {
			return
		}
	}
	t.Errorf("dnsmasq answers more: %.0f, and here %.0f", rates[0], rates[1])
}

func middle(list []float64) float64 {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}
