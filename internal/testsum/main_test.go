// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummary(t *testing.T) {
	for _, c := range []struct{ name, events, want string }{
		{"passes", `{"Action":"output","Package":"github.com/go-virtnet/virtnet/qos","Test":"TestA","Output":"rules: 3 documents, 3 agree\n"}
{"Action":"pass","Package":"github.com/go-virtnet/virtnet/qos","Test":"TestA"}
{"Action":"pass","Package":"github.com/go-virtnet/virtnet/qos","Elapsed":1.5}`, `
ok    /qos                                                       1.5s

agreement with libvirt:
  rules: 3 documents, 3 agree

1 passed, 0 failed, 0 skipped
`},
		{"fails", `{"Action":"output","Package":"github.com/go-virtnet/virtnet/qos","Test":"TestA/one","Output":"    a_test.go:3: wrong\n"}
{"Action":"fail","Package":"github.com/go-virtnet/virtnet/qos","Test":"TestA/one"}
{"Action":"fail","Package":"github.com/go-virtnet/virtnet/qos"}`, `
    a_test.go:3: wrong

failed:
  /qos TestA/one
  /qos

0 passed, 2 failed, 0 skipped
`},
		{"does not build", `{"Action":"build-output","ImportPath":"github.com/go-virtnet/virtnet/qos","Output":"qos.go:1: what?\n"}
{"Action":"build-fail","ImportPath":"github.com/go-virtnet/virtnet/qos"}
FAIL`, `
qos.go:1: what?
FAIL

failed:
  github.com/go-virtnet/virtnet/qos

0 passed, 1 failed, 0 skipped
`},
		{"skips", `{"Action":"output","Package":"p","Test":"TestA/one","Output":"    a_test.go:3: no root\n"}
{"Action":"skip","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA/two","Output":"    a_test.go:3: no root\n"}
{"Action":"output","Package":"p","Test":"TestA/two","Output":"--- SKIP: TestA/two (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA/two"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:9: no root\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"skip","Package":"p","Test":"TestC"}`, `

skipped:
  no reason given: TestC (1)
  no root: TestA (2), TestB (1)

0 passed, 0 failed, 4 skipped
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, out := newSummary(), &bytes.Buffer{}
			require.NoError(t, s.read(strings.NewReader(c.events), out))
			s.print(out)
			require.Equal(t, c.want, "\n"+out.String())
		})
	}
}
