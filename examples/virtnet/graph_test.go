// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// oddNames are such as mean something in drawings.
var oddNames = []string{`"`, "`", "<b>", "&amp;", "#35;", "end", "graph TD", "%%", "a|b", "]", "))", "--->", "\\", "é", "日本", "x\ny", "{{", ";", "click", "*a*", "1. a"}

// pictures are those that are drawn in testdata: .ci/mermaid reads them with Mermaid itself.
func pictures() map[string]*picture {
	odd := &picture{}
	for _, name := range oddNames {
		odd.Networks = append(odd.Networks, pictureNetwork{
			Name: name, Mode: "nat", Uplinks: []string{name}, Ports: []portLine{{Guest: name, Link: name, Into: name, MAC: name}},
		})
	}
	many := &picture{}
	for i := range 20 {
		n := pictureNetwork{Name: fmt.Sprintf("net%d", i), Mode: "nat", Bridge: fmt.Sprintf("virbr%d", i), Uplinks: []string{"eth0"}}
		for k := range i % 4 {
			n.Ports = append(n.Ports, portLine{Guest: fmt.Sprintf("guest%d", k), Link: fmt.Sprintf("vnet%d", 10*i+k), Into: n.Bridge, MAC: "52:54:00:00:00:01"})
		}
		many.Networks = append(many.Networks, n)
	}
	return map[string]*picture{
		"none": {},
		"odd":  odd,
		"many": many,
		"kinds": {Networks: []pictureNetwork{
			{Name: "default", Mode: "nat", Bridge: "virbr0", Addresses: []string{"192.168.122.1/24", "2001:db8::1/64"}, Uplinks: []string{"eth0", "wlan0"}, Ports: []portLine{
				{Guest: "web", Link: "vnet0", Into: "virbr0", MAC: "52:54:00:00:00:01", Rates: "in 1000 kB/s, out 500 kB/s"},
				{Guest: "a guest with a long name", Link: "a-long-device15", Into: "virbr0", MAC: "52:54:00:00:00:02"},
			}},
			{Name: "lab", Mode: "isolated", Bridge: "virbr1", Ports: []portLine{{Guest: "one", Link: "vnet3", Into: "virbr1", MAC: "52:54:00:00:00:04"}}},
			{Name: "lan", Mode: "bridge", Bridge: "br0", Rates: "in 1000 peak 5000 kB/s", Uplinks: []string{"bond0"}},
			{Name: "pool", Mode: "private", Uplinks: []string{"eth1", "eth2"}, Ports: []portLine{
				{Guest: "fw", Link: "macvtap0", Into: "eth1", MAC: "52:54:00:00:00:05"}, {Guest: "ids", Link: "macvtap1", Into: "eth2", MAC: "52:54:00:00:00:06"},
			}},
			{Name: "functions", Mode: "hostdev", Uplinks: []string{"0000:04:10.0"}, Ports: []portLine{{Guest: "fast", Into: "0000:04:10.0", MAC: "52:54:00:00:00:07"}}},
			{Device: "eth2", Uplinks: []string{"eth2"}, Ports: []portLine{{Guest: "alone", Link: "macvtap2", Into: "eth2", MAC: "52:54:00:00:00:08"}}},
			{Device: "br0", Bridge: "br0", Uplinks: []string{"bond0"}, Ports: []portLine{{Guest: "aside", Link: "vnet4", Into: "br0", MAC: "52:54:00:00:00:09"}}},
		}},
	}
}

// TestGraph compares drawings with those in testdata, which people have looked at.
func TestGraph(t *testing.T) {
	for name, p := range pictures() {
		for ending, text := range map[string]string{".mmd": p.mermaid(), ".svg": p.svg()} {
			golden := filepath.Join("testdata", "graph", name+ending)
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(text), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), text, golden)
		}
		d := xml.NewDecoder(strings.NewReader(p.svg()))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
	}
}

// TestGraphOfHost draws guests without a network, a bridge of the host, and networks in files.
func TestGraphOfHost(t *testing.T) {
	m := hosttest.New("eth0", "eth5")
	s := station{backend: m, store: network.Memory()}
	for _, op := range []host.Op{host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 0, 9}}, host.Plug{Link: "eth5", Bridge: "br0"}} {
		require.NoError(t, m.Do(t.Context(), op), op.String())
	}
	for _, args := range [][]string{
		{"up", file(t, "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>")},
		{"attach", "--guest", "one", file(t, "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/></interface>")},
		{"attach", "--guest", "two", file(t, "<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/></interface>")},
		{"attach", "--guest", "three", file(t, "<interface type='direct'><mac address='52:54:00:00:00:03'/><source dev='eth0' mode='bridge'/></interface>")},
	} {
		_, errs, status := s.at(t, args...)
		require.Zero(t, status, errs)
	}
	out, errs, status := s.at(t, "graph")
	require.Zero(t, status, errs)
	require.Equal(t, `flowchart LR
  subgraph host["this host"]
    link_65746835[/"eth5"/]
    net0["lan (bridge)<br>bridge br0"]
    link_65746830[/"eth0"/]
    net1["eth0 (no network)"]
    net2["br0 (no network)"]
  end
  link_65746835 ---|"bridge"| net0
  port0_0(["one<br>52:54:00:00:00:01"])
  net0 ---|"vnet0"| port0_0
  link_65746830 --- net1
  port1_0(["three<br>52:54:00:00:00:03"])
  net1 ---|"macvtap0 on eth0"| port1_0
  link_65746835 --- net2
  port2_0(["two<br>52:54:00:00:00:02"])
  net2 ---|"vnet1"| port2_0
`, out)
	out, errs, status = s.at(t, "graph", sample("lab.xml"), sample("lan.xml"))
	require.Zero(t, status, errs)
	require.Contains(t, out, `net0["lab (isolated)<br>bridge virbr8"]`)
	require.Contains(t, out, `net1["lan (nat)<br>bridge virbr7<br>10.7.0.1/24<br>in 125000 peak 250000 kB/s"]`)
	out, errs, status = s.at(t, "graph", "lan", sample("lab.xml"))
	require.Zero(t, status, errs)
	require.Contains(t, out, `net1["lab (isolated)<br>bridge virbr8"]`)
	require.NotContains(t, out, "no network")
}
