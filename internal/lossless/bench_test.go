// SPDX-License-Identifier: Apache-2.0

package lossless

import (
	"encoding/xml"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
)

// benchDocuments are the documents of the corpus, without it those of the repository, that can be read.
func benchDocuments(b *testing.B) (all []document, size int64) {
	var found []document
	if os.Getenv("VIRTNET_CORPUS") != "" {
		found = corpus(b)
	} else {
		found = inRepository(b)
	}
	for _, doc := range found {
		if _, err := doc.read(false); err == nil {
			all = append(all, doc)
			size += int64(len(doc.text))
		}
	}
	return all, size
}

// walk takes a document apart with encoding/xml and does nothing with it: what reading costs at least.
func walk(doc document) {
	d := xml.NewDecoder(strings.NewReader(doc.text))
	for {
		if _, err := d.Token(); err != nil {
			return
		}
	}
}

// use reads, checks and writes a document.
func use(b *testing.B, doc document) {
	var text []byte
	var err error
	switch doc.root {
	case "network":
		var n *network.Network
		if n, err = network.Parse(strings.NewReader(doc.text)); err == nil {
			_ = n.Validate()
			text, err = n.Format()
		}
	case "networkport":
		var p *network.Port
		if p, err = network.ParsePort(strings.NewReader(doc.text)); err == nil {
			_ = p.Validate()
			text, err = p.Format()
		}
	case "interface":
		var i *domainiface.Interface
		if i, err = domainiface.Parse(strings.NewReader(doc.text)); err == nil {
			_ = i.Validate()
			text, err = i.Format()
		}
	}
	if err != nil || len(text) == 0 {
		b.Fatal(doc.from, err)
	}
}

func BenchmarkTokenWalk(b *testing.B) {
	all, size := benchDocuments(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, doc := range all {
			walk(doc)
		}
	}
}

// BenchmarkParseCheckFormat reports also how many times the bare walk over the same bytes it takes: x-of-walk, both
// measured in turn. Documents that break rules are among them; telling their places takes another walk.
func BenchmarkParseCheckFormat(b *testing.B) {
	all, size := benchDocuments(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, doc := range all {
			use(b, doc)
		}
	}
	b.StopTimer()
	walked, used := time.Hour, time.Hour // the best of several rounds: other programs slow some of them
	for range max(10, min(b.N, 50)) {
		start := time.Now()
		for _, doc := range all {
			walk(doc)
		}
		middle := time.Now()
		for _, doc := range all {
			use(b, doc)
		}
		walked, used = min(walked, middle.Sub(start)), min(used, time.Since(middle))
	}
	b.ReportMetric(float64(used)/float64(walked), "x-of-walk")
}
