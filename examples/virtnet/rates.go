// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// rates is a bandwidth in few words; empty if there is none. Kilobytes are 1000 bytes.
func rates(b *qos.Bandwidth) string {
	if b == nil {
		return ""
	}
	var parts []string
	for _, d := range []struct {
		name string
		rate *qos.Rate
	}{{"in", b.Inbound}, {"out", b.Outbound}} {
		if d.rate == nil {
			continue
		}
		var words []string
		for _, w := range []struct {
			name  string
			value schema.Number
		}{{"", d.rate.Average}, {"peak ", d.rate.Peak}, {"floor ", d.rate.Floor}} {
			if v := w.value.Uint(); v > 0 {
				words = append(words, fmt.Sprintf("%s%d", w.name, v))
			}
		}
		parts = append(parts, d.name+" "+strings.Join(words, " ")+" kB/s")
	}
	return strings.Join(parts, ", ")
}
