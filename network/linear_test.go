// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// many are documents with n elements of one kind, each.
var many = map[string]func(n int) string{
	"dhcp hosts": func(n int) string {
		return "<ip address='10.0.0.1' prefix='8'><dhcp>" + repeat(n, func(i int) string {
			return fmt.Sprintf("<host mac='52:54:00:%02x:%02x:%02x' name='host-%d' ip='10.%d.%d.%d'>"+
				"<lease expiry='12' unit='hours'/></host><!-- %s -->\n", i>>16, i>>8&255, i&255, i, 1+i>>16, i>>8&255, i&255, strings.Repeat("x", 90))
		}) + "</dhcp></ip>"
	},
	"dhcp ranges": func(n int) string {
		return "<ip address='10.0.0.1' prefix='8'><dhcp>" + repeat(n, func(i int) string {
			return fmt.Sprintf("<range start='10.%d.%d.%d' end='10.%[1]d.%[2]d.%[3]d'/>", 1+i>>16, i>>8&255, i&255)
		}) + "</dhcp></ip>"
	},
	"dns hosts": func(n int) string {
		return "<dns>" + repeat(n, func(i int) string {
			return fmt.Sprintf("<host ip='10.1.%d.%d'><hostname>h%d</hostname></host>", i>>8&255, i&255, i)
		}) + "</dns>"
	},
	"host names": func(n int) string {
		return "<dns><host ip='10.1.1.1'>" + repeat(n, func(i int) string { return fmt.Sprintf("<hostname note='%d'>h%[1]d</hostname>", i) }) + "</host></dns>"
	},
	"routes": func(n int) string {
		return "<ip address='10.0.0.1' prefix='8'/>" + repeat(n, func(i int) string {
			return fmt.Sprintf("<route address='172.%d.%d.0' prefix='24' gateway='10.0.0.2'/>", i>>8&255, i&255)
		})
	},
	"addresses": func(n int) string {
		return repeat(n, func(i int) string {
			return fmt.Sprintf("<ip family='ipv6' address='fd00:%x:%x::1' prefix='64'/>", i>>8, i&255)
		})
	},
	"portgroups": func(n int) string {
		return repeat(n, func(i int) string { return fmt.Sprintf("<portgroup name='g%d'/>", i) })
	},
	"interfaces": func(n int) string {
		return "<forward mode='vepa'>" + repeat(n, func(i int) string { return fmt.Sprintf("<interface dev='e%d'/>", i) }) + "</forward>"
	},
	"pci addresses": func(n int) string {
		return "<forward mode='hostdev'>" + repeat(n, func(i int) string {
			return fmt.Sprintf("<address type='pci' domain='%d' bus='%d' slot='%d' function='%d'/>", i>>13, i>>5&255, 1+i>>3&3, i&7)
		}) + "</forward>"
	},
	"vlans": func(n int) string {
		return "<forward mode='passthrough'><interface dev='e'/></forward><vlan trunk='yes'>" +
			repeat(n, func(i int) string { return fmt.Sprintf("<tag id='%d'/>", 1+i%100) }) + "</vlan>"
	},
	"options": func(n int) string {
		return "<dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>" +
			repeat(n, func(i int) string { return fmt.Sprintf("<dnsmasq:option value='o%d'/>", i) }) + "</dnsmasq:options>"
	},
	"port forwards": func(n int) string {
		return "<ip address='10.0.0.1' prefix='8'/><v:forwards xmlns:v='https://go-virtnet.github.io/schemas/network/1.0'>" + repeat(n, func(i int) string {
			return fmt.Sprintf("<v:forward proto='tcp' address='192.0.2.%d' port='%d' to='10.0.0.2'/>", 1+i>>14, 1+i&16383)
		}) + "</v:forwards>"
	},
	"unknown elements": func(n int) string {
		return repeat(n, func(i int) string { return fmt.Sprintf("<a:b%d xmlns:a='urn:%[1]d' a:c='1'>x</a:b%[1]d>", i) })
	},
}

func repeat(n int, element func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(element(i))
	}
	return b.String()
}

// document returns the text with n of one kind.
func document(kind string, n int) string {
	return "<network><name>big</name>" + many[kind](n) + "</network>"
}

// work reads, checks and writes a document, in the default mode and as libvirt does, with all that it breaks.
func work(t testing.TB, text string) {
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(t, err)
	_ = n.Validate()
	n.Normalize(rulesOf(false))
	_, err = n.Format()
	require.NoError(t, err)
	_ = n.ValidateAs(rulesOf(true))
}

// TestLinearWork guards that nothing is kept of all pairs: ten times the elements are about ten times the allocations.
// What time it takes is for BenchmarkLinearWork.
func TestLinearWork(t *testing.T) {
	for kind := range many {
		t.Run(kind, func(t *testing.T) {
			small, large := document(kind, 1_000), document(kind, 10_000)
			few := testing.AllocsPerRun(1, func() { work(t, small) })
			lot := testing.AllocsPerRun(1, func() { work(t, large) })
			assert.Less(t, lot, 12*few+1000)
		})
	}
}

// BenchmarkLinearWork shows that no check compares all with all: the time of one element does not grow with their number.
func BenchmarkLinearWork(b *testing.B) {
	for _, kind := range slices.Sorted(maps.Keys(many)) {
		for _, n := range []int{1_000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				text := document(kind, n)
				for b.Loop() {
					work(b, text)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
			})
		}
	}
}

// BenchmarkHosts checks documents with many DHCP hosts; the largest has 10 MB.
func BenchmarkHosts(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text := document("dhcp hosts", n)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				doc, err := network.Parse(strings.NewReader(text))
				if err == nil {
					err = doc.Validate()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/host")
		})
	}
}

func rulesOf(compat bool) schema.Rules { return schema.Rules{Compat: compat} }
