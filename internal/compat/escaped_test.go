// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEscaped(t *testing.T) {
	for raw, want := range map[string]string{
		"  <domain name='a'b' localOnly='yes'/>":                   "  <domain name='a&apos;b' localOnly='yes'/>",
		"  <portgroup name='a & b' default='yes'>":                 "  <portgroup name='a &amp; b' default='yes'>",
		"  <portgroup name='a\nb'>":                                "  <portgroup name='a\nb'>",
		"  <portgroup name='&amp;'>":                               "  <portgroup name='&amp;amp;'>",
		"      <host mac='52:54:00:00:00:01' name='a<' ip='::1'/>": "      <host mac='52:54:00:00:00:01' name='a&lt;' ip='::1'/>",
		"      <host id='0:1' name='a'' ip='::1'>":                 "      <host id='0:1' name='a&apos;' ip='::1'>",
		"      <host name='a' ip='10.0.0.1'/>":                     "      <host name='a' ip='10.0.0.1'/>",
		"    <parameters interfaceid='x' profileid='a&b'/>":        "    <parameters interfaceid='x' profileid='a&amp;b'/>",
		"  <txt name='&lt;' value='&amp;'/>":                       "  <txt name='&lt;' value='&amp;'/>",
	} {
		assert.Equal(t, want, escaped(raw))
	}
}
