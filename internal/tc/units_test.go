// SPDX-License-Identifier: Apache-2.0

package tc

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTicks compares with values worked out by hand: bytes * 10^9 / rate / 64, rounded.
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		name        string
		bytes, rate uint64
		want        uint32
	}{
		{"64 kbit/s", 2048, 8_000, 4_000_000},
		{"8 Mbit/s", 1 << 20, 1_000_000, 16_384_000},
		{"1 Gbit/s", 124_928, 125_000_000, 15_616},
		{"10 Gbit/s", 1 << 20, 1_250_000_000, 13_107},
		{"100 Gbit/s", 12_500_000, 12_500_000_000, 15_625},
		{"the longest", 274_000, 1_000, 4_281_250_000},
		{"too long", 275_000, 1_000, math.MaxUint32},
		{"much too long", math.MaxUint64, 1, math.MaxUint32},
		{"too short", 1024, 1 << 62, 1},
		{"no rate", 1024, 0, math.MaxUint32},
	} {
		require.Equal(t, c.want, Ticks(c.bytes, c.rate), c.name)
	}
}

// TestBurstsComeBack wants every burst in kibibytes to be what the kernel tells, up to 128 Gbit/s.
func TestBurstsComeBack(t *testing.T) {
	for rate := uint64(8_000); rate <= 16_000_000_000; rate += rate/3 + 1000 {
		for burst := uint64(1); burst < 1<<22; burst += burst/5 + 1 {
			if burst*1024/rate > 274 {
				break
			}
			require.Equal(t, burst, (Bytes(Ticks(burst*1024, rate), rate)+512)/1024, "%d KiB at %d B/s", burst, rate)
		}
	}
	require.EqualValues(t, uint64(math.MaxUint64), Bytes(math.MaxUint32, math.MaxUint64))
}

func TestHandle(t *testing.T) {
	h := MakeHandle(1, 0xfffe)
	require.Equal(t, "1:fffe", h.String())
	require.EqualValues(t, 1, h.Major())
	require.EqualValues(t, 0xfffe, h.Minor())
	require.Equal(t, "1:", MakeHandle(1, 0).String())
}
