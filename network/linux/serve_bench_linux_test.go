// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkServe starts a server until it answers, and ends it: nearly all of it is dnsmasq, where that is what serves.
func BenchmarkServe(b *testing.B) {
	b.Run("dnsmasq", func(b *testing.B) { benchmarkServe(b, newPlace(b)) })
	b.Run("in process", func(b *testing.B) { benchmarkServe(b, newPlace(b, inProcess)) })
}

func benchmarkServe(b *testing.B, p *place) {
	op := serve4()
	for b.Loop() {
		require.NoError(b, p.Do(b.Context(), op))
		b.StopTimer()
		require.NoError(b, p.Do(b.Context(), op.Inverse()))
		b.StartTimer()
	}
}

// BenchmarkServerFacts looks at one running server.
func BenchmarkServerFacts(b *testing.B) {
	p := newPlace(b)
	op := serve4()
	require.NoError(b, p.Do(b.Context(), op))
	for b.Loop() {
		f, err := p.Facts(b.Context(), op.Scope())
		require.NoError(b, err)
		require.Len(b, f.Servers, 1)
	}
	require.NoError(b, p.Do(b.Context(), op.Inverse()))
}
