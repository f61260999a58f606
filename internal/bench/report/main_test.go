// SPDX-License-Identifier: Apache-2.0

package main

import (
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
BenchmarkAttach/tap/ports=1000-2              	      30	       326.7 floor-µs	      400 own-µs	         1.22 xfloor
BenchmarkOther-2                              	      30	       326.7 ns/op
PASS
`

func TestRead(t *testing.T) {
	results, machine, err := read(strings.NewReader(printed))
	require.NoError(t, err)
	require.Equal(t, "Some Processor", machine)
	require.Equal(t, []result{
		{"Start with dhcp", "networks", 0, 4994, 10193, 1.884},
		{"Start without dhcp", "networks", 200, 900.5, 1900, 2.1},
		{"Attach tap", "ports", 1000, 326.7, 400, 1.22},
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
	require.Contains(t, string(text), "| Attach tap | 1000 ports | 327 | 400 | 1.22 | 1.30 |\n")
	require.Contains(t, string(text), "Of 3 rows, 1 are above what is wanted.")
	require.Contains(t, string(text), "](performance.svg)")
	picture, err := os.Open(strings.TrimSuffix(page, ".md") + ".svg")
	require.NoError(t, err)
	defer picture.Close()
	for d := xml.NewDecoder(picture); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
	}
}
