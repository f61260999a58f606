// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"bytes"
	"encoding/xml"
	"testing"

	"github.com/go-virtnet/virtnet/network"
)

// BenchmarkTokens is what reading costs at least: encoding/xml takes the documents apart and nothing is done with
// them. The others are judged by it.
func BenchmarkTokens(b *testing.B) {
	each(b, func(text []byte) {
		d := xml.NewDecoder(bytes.NewReader(text))
		for {
			if _, err := d.Token(); err != nil {
				return
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	each(b, func(text []byte) {
		if _, err := network.Parse(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkParseCheckFormat(b *testing.B) {
	each(b, func(text []byte) {
		n, err := network.Parse(bytes.NewReader(text))
		if err == nil {
			err = n.Validate()
		}
		if err == nil {
			_, err = n.Format()
		}
		if err != nil {
			b.Fatal(err)
		}
	})
}

// each does something to all documents of testdata, once an iteration.
func each(b *testing.B, do func(text []byte)) {
	var texts [][]byte
	size := 0
	for _, text := range files(b, "valid/*.xml") {
		texts = append(texts, []byte(text))
		size += len(text)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range texts {
			do(text)
		}
	}
}
