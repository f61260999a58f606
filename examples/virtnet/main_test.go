// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what is printed into testdata")

// invoke runs the program as a person would, and returns what it prints and its exit status.
func invoke(t *testing.T, args ...string) (out, errs string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = station{errs: &e}.run(t.Context(), &o, args)
	return o.String(), e.String(), status
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "doc.xml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"good network":   {defaultNetwork, ""},
		"good interface": {guestInterface, ""},
		"good port": {`<networkport><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid>
<owner><name>web</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>`, ""},
		"two places": {"<network>\n  <name>n</name>\n  <bridge name='sixteen-bytes-xx'/>\n  <ip address='10.1.1.1' prefix='24'>\n    <dhcp>\n" +
			"      <range start='10.1.1.9' end='10.1.2.9'/>\n    </dhcp>\n  </ip>\n</network>",
			"FILE:3: /network/bridge/@name: \"sixteen-bytes-xx\" is not the name of a network device: 1 to 15 bytes without white space, / and :; a template has one %d [bridge-name]\n" +
				"FILE:6: /network/ip[1]/dhcp/range[1]/@end: 10.1.2.9 is not in 10.1.1.0/24 [dhcp-range-in-subnet]\n"},
		"interface": {"<interface type='network'>\n  <mac address='01:00:5e:00:00:01'/>\n  <source network='default'/>\n</interface>",
			"FILE:2: /interface/mac/@address: 01:00:5e:00:00:01 is a multicast address [mac-unicast]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := file(t, c.text)
			out, errs, status := invoke(t, "validate", doc)
			require.Equal(t, c.want, strings.ReplaceAll(out, doc, "FILE"))
			require.Empty(t, errs)
			require.Equal(t, c.want != "", status == 1)
		})
	}
}

func TestValidateJSON(t *testing.T) {
	good := file(t, defaultNetwork)
	bad := file(t, "<network>\n  <name>n</name>\n  <forward mode='passthru'/>\n  <bridge name='a \"b\"' stp='on' delay='31'/>\n</network>")
	out, errs, status := invoke(t, "validate", "--json", good, bad)
	require.Empty(t, errs)
	require.Equal(t, 1, status)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	require.Len(t, lines, 3)
	for i, want := range []finding{
		{bad, 3, 12, "/network/forward/@mode", "token-syntax", `"passthru" is not none, nat, route, open, bridge, private, vepa, passthrough or hostdev (did you mean "passthrough"?)`},
		{bad, 4, 11, "/network/bridge/@name", "bridge-name", `"a \"b\"" is not the name of a network device: 1 to 15 bytes without white space, / and :; a template has one %d`},
		{bad, 4, 33, "/network/bridge/@delay", "bridge-delay", "31 seconds are more than the 30 that are possible"},
	} {
		var got finding
		decoder := json.NewDecoder(strings.NewReader(lines[i]))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&got))
		require.Equal(t, want, got)
	}

	out, errs, status = invoke(t, "validate", "--format=json", good)
	require.Empty(t, out)
	require.Empty(t, errs)
	require.Equal(t, 0, status)

	missing := filepath.Join(t.TempDir(), "missing.xml")
	out, errs, status = invoke(t, "validate", "--format=json", bad, missing)
	require.Equal(t, 3, strings.Count(out, "\n"), "what is wrong with the others is told")
	require.Contains(t, errs, "missing.xml")
	require.Equal(t, 1, status)
}

// TestValidateAnything feeds what is no document at all: always a place, never a panic.
func TestValidateAnything(t *testing.T) {
	for name, text := range map[string]string{
		"empty":          "",
		"not XML":        "not xml at all",
		"binary":         "\x00\x01\x02\xff\xfe",
		"wrong root":     "<domain/>",
		"cut off":        "<network><name>x</na",
		"two roots":      "<network><name>x</name></network><network/>",
		"deep":           strings.Repeat("<a>", 100_000),
		"deep inside":    "<network><name>x</name><metadata>" + strings.Repeat("<a xmlns='urn:x'>", 100_000) + "</metadata></network>",
		"50 MB":          "<network><name>" + strings.Repeat("x", 50<<20) + "</name></network>",
		"50 MB of items": "<network><name>x</name>" + strings.Repeat("<ip address='10.1.1.1'/>", 50<<20/24) + "</network>",
		"entities":       `<!DOCTYPE n [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><network><name>&b;</name></network>`,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			doc := file(t, text)
			runtime.ReadMemStats(&before)
			out, errs, status := invoke(t, "validate", doc)
			runtime.ReadMemStats(&after)
			require.Equal(t, 1, status)
			require.Empty(t, errs)
			first, _, _ := strings.Cut(strings.ReplaceAll(out, doc, "FILE"), "\n")
			require.Regexp(t, `^FILE:\d+: /\S* *.*: .+ \[[a-z0-9-]+\]$`, first)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(512<<20), "bytes allocated")
			require.Less(t, len(out), 1<<20, "what is printed")
		})
	}
}

func TestFormat(t *testing.T) {
	out, errs, status := invoke(t, "format", file(t, "<network><bridge delay='0' name=\"virbr0\"/><unknown  a = '1'/><name>n</name></network>"))
	require.Empty(t, errs)
	require.Equal(t, 0, status)
	require.Equal(t, "<network>\n  <name>n</name>\n  <bridge name='virbr0' delay='0'/>\n  <unknown a='1'/>\n</network>\n", out)
	again, _, _ := invoke(t, "format", file(t, out))
	require.Equal(t, out, again)
}

func TestPlan(t *testing.T) {
	out, errs, status := invoke(t, "plan", file(t, `<network><name>n</name><bridge name='vnt-plan-test'/><mac address='52:54:00:00:00:01'/></network>`))
	require.Empty(t, errs)
	require.Equal(t, 0, status)
	require.Contains(t, out, `# network "n" on `)
	require.Contains(t, out, "link add vnt-plan-test address 52:54:00:00:00:01 type bridge stp_state on forward_delay 200")
	require.Contains(t, out, "# /network/bridge")

	_, errs, status = invoke(t, "plan", file(t, guestInterface))
	require.Equal(t, 1, status)
	require.Contains(t, errs, "is no <network>")
}

func TestDemoInMemory(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demoInMemory(t.Context(), &out))
	for _, want := range []string{"link add virbr0", "tuntap add dev vnet0", "default  active  nat", "Nothing is left"} {
		require.Contains(t, out.String(), want)
	}
}

func TestDemoEndsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, demoInMemory(ctx, &bytes.Buffer{}), context.Canceled)
}

func TestExplain(t *testing.T) {
	net := filepath.Join("testdata", "explain", "network.xml")
	for _, c := range []struct {
		name   string
		args   []string
		status int
	}{
		{"group", []string{net, "group.xml"}, 0},
		{"group.json", []string{"--format=json", net, "group.xml"}, 0},
		{"alone", []string{"alone.xml"}, 0},
		{"conflict", []string{net, "conflict.xml"}, 1},
		{"conflict.json", []string{"--format=json", net, "conflict.xml"}, 1},
		{"unknown-group", []string{net, "unknown-group.xml"}, 1},
		{"isolated", []string{net, "isolated.xml"}, 1},
		{"qemu", []string{"--qemu", net, "filter.xml"}, 1},
		{"broken", []string{net, "broken.xml"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"explain"}, c.args...)
			args[len(args)-1] = filepath.Join("testdata", "explain", args[len(args)-1])
			out, errs, status := invoke(t, args...)
			require.Empty(t, errs)
			require.Equal(t, c.status, status)
			golden := filepath.Join("testdata", "explain", c.name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(out), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), filepath.ToSlash(out))
		})
	}
}

func TestExplainWrongDocuments(t *testing.T) {
	nic := filepath.Join("testdata", "explain", "alone.xml")
	net := filepath.Join("testdata", "explain", "network.xml")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{nic, net}, "is no <network>"},
		{[]string{net}, "is no <interface>"},
		{[]string{net, filepath.Join("testdata", "explain", "none.xml")}, "no such file"},
		{[]string{net, nic}, `type direct is on no network, so not on "floor2"`},
		{[]string{filepath.Join("testdata", "explain", "group.xml")}, "is not known"},
	} {
		_, errs, status := invoke(t, append([]string{"explain"}, c.args...)...)
		require.Equal(t, 1, status, c.args)
		require.Contains(t, errs, c.want)
	}
}
