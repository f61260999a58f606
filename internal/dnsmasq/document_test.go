// SPDX-License-Identifier: Apache-2.0

package dnsmasq_test

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// documentAttacks are values that would do harm if one of them left its place in a line of configuration, a rule or a path.
var documentAttacks = []string{
	"x\nport=5353", "x\rport=5353", "x\x00", "x\ty", `x"y`, `"x"`, `x\`, `x\"`, "x'y", "..", "../../etc/passwd", "/etc/passwd",
	"%d%s%n", "-x", "--conf-script=/bin/false", "x,y", "x,set:tag", "tag:x,y", "x y", "#x", "x # y", "x#5353", "x=y", "$(x)", "`x`", ";x", "x;y", "x@y", "[x]", "x/y/8.8.8.8",
	"ignore", "infinite", "static", "*", "id:*", "é", strings.Repeat("x", 300),
}

// places finds the values of attributes, and the texts of elements.
var places = regexp.MustCompile(`='([^']*)'|>([^<>\s][^<>]*)<`)

// declares finds the beginning of the declaration of a namespace. It is no value but part of the names of elements, which are
// somebody else's with another.
var declares = regexp.MustCompile(`\sxmlns(:\w+)?='$`)

// TestNoValueLeavesItsPlace puts each attack into each value of each document. Either it is refused, or the
// configuration has the same keywords in the same number as without it, and the host the same number of things.
func TestNoValueLeavesItsPlace(t *testing.T) { noValueLeavesItsPlace(t, schema.Rules{}) }

// TestNoValueLeavesItsLine is the same where values are written as they are: inside its line a value may mean something,
// but it never begins another.
func TestNoValueLeavesItsLine(t *testing.T) { noValueLeavesItsPlace(t, schema.Rules{Compat: true}) }

func noValueLeavesItsPlace(t *testing.T, rules schema.Rules) {
	t.Helper()
	files, err := filepath.Glob("../../network/testdata/managed/*.xml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	accepted, refused := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		want, ok := outcome(t, rules, string(text))
		require.True(t, ok, file)
		for _, at := range places.FindAllStringSubmatchIndex(string(text), -1) {
			from, to := at[2], at[3]
			if from < 0 {
				from, to = at[4], at[5]
			}
			if declares.Match(text[:from]) {
				continue
			}
			for _, attack := range documentAttacks {
				var escaped bytes.Buffer
				require.NoError(t, xml.EscapeText(&escaped, []byte(attack)))
				got, ok := outcome(t, rules, string(text[:from])+escaped.String()+string(text[to:]))
				if !ok {
					refused++
					continue
				}
				accepted++
				if !slices.Equal(want, got) {
					t.Errorf("%s: %q in the place of %q changes\n%v\nto\n%v", filepath.Base(file), attack, text[from:to], want, got)
				}
			}
		}
	}
	t.Logf("%d values accepted, %d refused", accepted, refused)
	require.Greater(t, accepted, 100, "hardly anything was accepted: this proves nothing")
	require.Greater(t, refused, 1000)
}

// outcome is what a document leads to, as the keywords of its configuration and the kinds of things on the host; and
// false if it is refused on the way.
func outcome(t *testing.T, rules schema.Rules, text string) ([]string, bool) {
	t.Helper()
	n, err := network.Reader{Compat: rules.Compat}.Parse(strings.NewReader(text))
	if err != nil || n.ValidateAs(rules) != nil {
		return nil, false
	}
	machine := hosttest.New("eth0")
	nets, err := network.Config{Rules: rules}.Open(t.Context(), machine, network.Memory())
	require.NoError(t, err)
	if err := nets.Create(t.Context(), n); err != nil {
		return nil, false
	}
	var words []string
	for line := range strings.Lines(machine.String()) {
		words = append(words, strings.Fields(line)[0])
	}
	for _, op := range machine.Log() {
		serve, ok := op.(host.Serve)
		if !ok {
			continue
		}
		config, err := dnsmasq.Config(&serve.Server, dnsmasq.Files{Leases: "/run/x.leases"})
		if err != nil {
			return nil, false
		}
		for line := range strings.Lines(string(config)) {
			keyword, _, _ := strings.Cut(strings.TrimSpace(line), "=")
			words = append(words, keyword)
		}
	}
	slices.Sort(words)
	return words, true
}
