// SPDX-License-Identifier: Apache-2.0

package hosttest

import "github.com/go-virtnet/virtnet/network/host"

var fill0 = host.FillChecksums{Link: "br0"}

func checksumCases() []opCase {
	return []opCase{{
		name:     "FillChecksums",
		before:   []host.Op{br0},
		op:       fill0,
		changes:  "+checksums of DHCP filled in dev br0\n",
		bad:      []host.Op{host.FillChecksums{}, host.FillChecksums{Link: "a/b"}},
		dangling: []host.Op{host.FillChecksums{Link: "br9"}},
		foreign:  [][]host.Op{{br0}},
	}, {
		name:    "FillChecksums where traffic is shaped",
		before:  []host.Op{br0, setShape(shape0, host.Shape{})},
		op:      fill0,
		changes: "+checksums of DHCP filled in dev br0\n",
	}}
}

// checksumEffects are those of two that share a place of a link.
func checksumEffects() []effect {
	both := []host.Op{br0, fill0, setShape(shape0, host.Shape{})}
	return []effect{{
		name:    "a link takes along that it filled checksums in",
		before:  []host.Op{br0, fill0},
		op:      br0.Inverse(),
		changes: "-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0 owner \"virtnet 1\"\n-checksums of DHCP filled in dev br0\n",
	}, {
		name:    "checksums are filled in also when traffic is not shaped any more",
		before:  both,
		op:      setShape(shape0, host.Shape{}).Inverse(),
		changes: "-shape " + shape0.String() + "\n",
	}, {
		name:    "traffic is shaped also when checksums are not filled in any more",
		before:  both,
		op:      fill0.Inverse(),
		changes: "-checksums of DHCP filled in dev br0\n",
	}}
}
