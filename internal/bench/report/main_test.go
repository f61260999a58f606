// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const printed = `goos: linux
cpu: Some Processor
BenchmarkStart/dhcp=true/networks=0-2         	       8	      4994 floor-µs	     10193 own-µs	         1.884 xfloor
BenchmarkStart/dhcp=false/networks=200-2      	       8	       900.5 floor-µs	     1900 own-µs	         2.1 xfloor
BenchmarkAttach/tap/ports=1-2                 	      30	       300 floor-µs	      320 own-µs	         1.07 xfloor
BenchmarkAttach/tap/ports=1000-2              	      30	       326.7 floor-µs	      400 own-µs	         1.22 xfloor
BenchmarkRound_trip/networks=200-2            	      30	       8.5 one-µs	      8.4 own-µs	         -0.1 over-µs
BenchmarkRestart/networks=50-2                	       1	       20 libvirt-s	      0.01 own-s	         2000 faster
BenchmarkHeap/networks=200-2                  	       1	       5.5 own-kB
BenchmarkOther-2                              	      30	       326.7 ns/op
PASS
`

func TestRead(t *testing.T) {
	results, machine, err := read(strings.NewReader(printed))
	require.NoError(t, err)
	require.Equal(t, "Some Processor", machine)
	require.Equal(t, []result{
		{"Start with dhcp", "networks", 0, "floor", 4994, 10193, "µs", 1.884, "times"},
		{"Start without dhcp", "networks", 200, "floor", 900.5, 1900, "µs", 2.1, "times"},
		{"Attach tap", "ports", 1, "floor", 300, 320, "µs", 1.07, "times"},
		{"Attach tap", "ports", 1000, "floor", 326.7, 400, "µs", 1.22, "times"},
		{"Round trip", "networks", 200, "one", 8.5, 8.4, "µs", -0.1, "over"},
		{"Restart", "networks", 50, "libvirt", 20, 0.01, "s", 2000, "faster"},
		{"Heap", "networks", 200, "", 0, 5.5, "kB", 5.5, "own"},
	}, results)
}

func TestReadRefuses(t *testing.T) {
	_, _, err := read(strings.NewReader("--- FAIL: BenchmarkStart/dhcp=true\n"))
	require.ErrorContains(t, err, "BenchmarkStart")
	_, _, err = read(strings.NewReader("BenchmarkStart-2 8 x xfloor\n"))
	require.ErrorContains(t, err, `"x"`)
	require.Error(t, run(strings.NewReader("PASS\n"), io.Discard, ""))
}

func TestPage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "performance.md")
	var out strings.Builder
	require.NoError(t, run(strings.NewReader(printed), &out, page))
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), out.String())
	for _, row := range []string{
		"| Start with dhcp | 0 networks | floor 4.99 ms | 10.2 ms | 1.88× | at most 1.30× | **missed** |\n",
		"| Start without dhcp | 200 networks | floor 900 µs | 1.90 ms | 2.10× |  |  |\n",
		"| Attach tap | 1000 ports | floor 327 µs | 400 µs | 1.22× | at most 1.30× | yes |\n",
		"| Round trip | 200 networks | one 8.50 µs | 8.40 µs | -0.10 µs | at most +2.00 µs | yes |\n",
		"| Restart | 50 networks | libvirt 20.0 s | 0.01 s | 2000× faster |  |  |\n",
		"| Heap | 200 networks |  | 5.50 kB | 5.50 kB |  |  |\n",
		"| Attach tap, own share | 1000 ports | with 1 20.0 µs | 73.3 µs | 3.67× | at most 1.50× | **missed** |\n",
	} {
		require.Contains(t, out.String(), row)
	}
	require.Contains(t, string(text), "on: Some Processor. Of ")
	require.Contains(t, string(text), "](performance.svg)")
	require.NotContains(t, string(text), "{")
	picture, err := os.ReadFile(strings.TrimSuffix(page, ".md") + ".svg")
	require.NoError(t, err)
	require.NotContains(t, string(picture), "%!")
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
	}
}

// TestSpread keeps labels apart, in order, and within bounds.
func TestSpread(t *testing.T) {
	labels := []label{{from: 95, y: 95}, {from: 10, y: 10}, {from: 11, y: 11}, {from: 94, y: 94}}
	spread(labels, 0, 100)
	require.Equal(t, []label{{from: 10, y: 10}, {from: 11, y: 27}, {from: 94, y: 83}, {from: 95, y: 100}}, labels)
}
