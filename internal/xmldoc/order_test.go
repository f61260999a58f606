// SPDX-License-Identifier: Apache-2.0

package xmldoc_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/xmldoc"
)

func TestBefore(t *testing.T) {
	type leaf struct {
		ID string `xml:"id,attr"`
	}
	type doc struct {
		Kind string `xml:"kind,attr"`
		A    *leaf  `xml:"a"`
		B    *leaf  `xml:"b"`
		C    *leaf  `xml:"c" doc:"before=a:kind=early"`
	}
	for kind, want := range map[string]string{
		"early": "<doc kind='early'>\n  <c id='3'/>\n  <a id='1'/>\n  <b id='2'/>\n</doc>\n",
		"late":  "<doc kind='late'>\n  <a id='1'/>\n  <b id='2'/>\n  <c id='3'/>\n</doc>\n",
	} {
		got, err := xmldoc.Append(nil, "doc", &doc{kind, &leaf{"1"}, &leaf{"2"}, &leaf{"3"}})
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}
