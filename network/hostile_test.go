// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

func TestHostileSize(t *testing.T) {
	const head = "<network><name>x</name>"
	tests := map[string]struct{ text, rule string }{
		"50 MB":             {head + strings.Repeat("<ip address='10.1.1.1'/>", 50<<20/24) + "</network>", "xml-size"},
		"50 MB of space":    {head + strings.Repeat(" ", 50<<20) + "</network>", "xml-size"},
		"100,000 deep":      {head + strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000) + "</network>", "xml-depth"},
		"deep in metadata":  {head + "<metadata>" + strings.Repeat("<a xmlns='urn:a'>", 100_000), "xml-depth"},
		"deep in an <ip>":   {head + "<ip><dhcp><range>" + strings.Repeat("<a>", 100_000), "xml-depth"},
		"deep in the name":  {"<network><name>" + strings.Repeat("<a>", 100_000), "xml-depth"},
		"a million <b/>":    {head + strings.Repeat("<b/>", 1<<20) + "</network>", "xml-size"},
		"one long tag":      {head + "<" + strings.Repeat("b", 10<<20) + "/>", "xml-syntax"},
		"one long value":    {head + "<bridge name='" + strings.Repeat("b", 10<<20) + "'/></network>", "bridge-name"},
		"attributes":        {head + "<e" + numbered(100_000, " p%d:a='1'") + "/></network>", "xml-size"},
		"known, attributes": {head + "<bridge" + numbered(100_000, " a%d='1'") + "/></network>", "xml-size"},
		"prefixes":          {"<network" + numbered(100_000, " xmlns:p%d='urn:p'"), "xml-syntax"},
		"prefixes inside":   {head + "<e" + numbered(200, " xmlns:p%d='urn:%[1]d'") + "><f" + numbered(200, " xmlns:p%d='urn:%[1]d'") + "/></e></network>", "xml-size"},
		"prefixes around":   {"<network" + numbered(200, " xmlns:p%d='urn:%[1]d'") + "><name>x</name><ip" + numbered(200, " xmlns:q%d='urn:%[1]d'") + "/></network>", "xml-size"},
		"no end of the tag": {head + "<bridge name='" + strings.Repeat("b", 10<<20), "xml-syntax"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			n, err := network.Parse(strings.NewReader(test.text))
			if n != nil {
				err = schema.Join(err, n.Validate())
			}
			runtime.ReadMemStats(&after)
			var vs schema.Violations
			require.ErrorAs(t, err, &vs)
			assert.Equal(t, test.rule, vs[len(vs)-1].Rule)
			assert.Less(t, len(vs.Error()), 1000, "a message is short")
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(160<<20), "memory is bounded")
		})
	}
}

// numbered returns a text n times, each with its number.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestManyPrefixesInLinearTime has as many prefixes as are allowed, and many elements that use them.
func TestManyPrefixesInLinearTime(t *testing.T) {
	text := "<network" + numbered(250, " xmlns:p%d='urn:%[1]d'") + "><name>x</name>" + numbered(100_000, "<p1:e%d/>") +
		"<e" + numbered(250, " q%d:a='1'") + "/></network>"
	start := time.Now()
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(t, err)
	_, err = n.Format()
	require.NoError(t, err)
	assert.Less(t, time.Since(start), 10*time.Second)
}

// TestNoValueBreaksOut puts what could break out of a line, an argument list or a path into each value of documents
// that have all of them, and wants it refused, except where it is for people or for applications only.
func TestNoValueBreaksOut(t *testing.T) {
	value := regexp.MustCompile(`[ :]\w+=['"]([^'"]*)['"]|<(?:name|uuid|hostname|title)>([^<]*)</`)
	free := regexp.MustCompile(`(?s)<\?xml.*?\?>|<metadata.*</metadata>|<lab:rack.*</lab:rack>|xmlns[:\w]*=["'][^"']*["']|lab:owner="alice"`)
	tried := 0
	for path, text := range files(t, "valid/*.xml") {
		skip := free.FindAllStringIndex(text, -1)
		for _, m := range value.FindAllStringSubmatchIndex(text, -1) {
			start, end := max(m[2], m[4]), max(m[3], m[5])
			if within(skip, start) {
				continue
			}
			for _, evil := range []string{"&#10;x", "&#13;x", "&#9;x"} {
				tried++
				broken := text[:end] + evil + text[end:]
				n, err := network.Parse(strings.NewReader(broken))
				if n != nil {
					err = schema.Join(err, n.Validate())
				}
				if isFree(text[m[0]:m[1]], evil) {
					continue
				}
				assert.Error(t, err, "%s: %s with %s", path, text[m[0]:m[1]], evil)
			}
		}
	}
	assert.Greater(t, tried, 500)
}

func within(ranges [][]int, at int) bool {
	for _, r := range ranges {
		if r[0] <= at && at < r[1] {
			return true
		}
	}
	return false
}

// isFree reports whether the value is told to people only, or its lexer drops what follows white space.
func isFree(value, evil string) bool {
	return strings.HasPrefix(value, "<title>") && evil != "&#10;x" || strings.Contains(value, " address=") && strings.Count(value, ":") == 5
}

func TestHostsAreCheckedInLinearTime(t *testing.T) {
	spent := func(hosts int) time.Duration {
		var b bytes.Buffer
		b.WriteString("<network><name>big</name><ip address='10.0.0.1' prefix='8'><dhcp>\n")
		for i := range hosts {
			fmt.Fprintf(&b, "<host mac='52:54:00:%02x:%02x:%02x' name='host-%d' ip='10.1.%d.%d'/>\n", i>>16, i>>8&255, i&255, i, i>>8, i&255)
		}
		b.WriteString("</dhcp></ip></network>\n")
		start := time.Now()
		n, err := network.Parse(&b)
		require.NoError(t, err)
		require.NoError(t, n.Validate())
		require.Len(t, n.IPs[0].DHCP.Hosts, hosts)
		return time.Since(start)
	}
	spent(1000)
	small, large := spent(5_000), spent(50_000)
	assert.Less(t, large, 40*small+time.Second, "ten times the hosts take about ten times the time, not a hundred times")
}

func TestManyViolationsInLinearTime(t *testing.T) {
	text := "<network><name>bad</name><ip address='10.0.0.1' prefix='8'><dhcp>\n" +
		strings.Repeat("<host name='same name' ip='192.0.2.1'/>\n", 50_000) + "</dhcp></ip></network>\n"
	start := time.Now()
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(t, err)
	var vs schema.Violations
	require.ErrorAs(t, n.Validate(), &vs)
	assert.Equal(t, 4*50_000-2, len(vs))
	assert.Less(t, time.Since(start), 20*time.Second)
	last := vs[len(vs)-1]
	assert.Equal(t, 50_001, last.Line)
	assert.Equal(t, "/network/ip[1]/dhcp/host[50000]/@ip", last.Path)
}
