// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// volatile is what changes by itself while nobody changes anything: indexes, timers, counters, the progress of duplicate
// address detection.
var volatile = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`(?m)^\d+: `), ""},
	{regexp.MustCompile(`@if\d+`), "@if"},
	{regexp.MustCompile(` link-netnsid \d+`), ""},
	{regexp.MustCompile(`(_timer) +[\d.]+`), "$1"},
	{regexp.MustCompile(` (tentative|optimistic|dadfailed)\b`), ""},
	{regexp.MustCompile(`(_lft|expires) \d+sec`), "$1 some"},
	// The kernel notices some time after a link was switched on what is at its other end.
	{regexp.MustCompile(`<NO-CARRIER,`), "<"},
	{regexp.MustCompile(`,LOWER_UP\b`), ""},
	{regexp.MustCompile(`( bridge_slave)? state (UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT|disabled|listening|learning|forwarding|blocking)\b`), "$1"},
	{regexp.MustCompile(` linkdown\b`), ""},
	// The kernel works these out from the ports a bridge has and had.
	{regexp.MustCompile(` (gso|tso|gro)(_ipv4)?_max_(size|segs) \d+`), ""},
	{regexp.MustCompile(`packets \d+ bytes \d+`), "packets some bytes some"},
	// A link gets this with its first IPv6 address, and keeps it.
	{regexp.MustCompile(`(?m)^multicast ff00::/8 .*\n`), ""},
	{regexp.MustCompile(`[ \t]+\n`), "\n"},
	// What a driver makes up each time it starts.
	{regexp.MustCompile(` permaddr [\da-f:]+`), ""},
	// What the kernel gives a link by itself, once it is up.
	{regexp.MustCompile(`(?m)^qdisc \w+ 0: .*\n`), ""},
}

// Snapshot is everything that is set up in the namespace as text, as the machine's own tools tell it: links, addresses,
// routes, rules, queues, kernel parameters and the packet filter. What changes by itself is left out, so that two texts are equal
// if nobody changed anything in between. It is slow, for it starts some ten programs.
func (n *Namespace) Snapshot(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, look := range [][]string{
		{"ip", "-d", "-o", "link"},
		{"ip", "-o", "addr"},
		{"ip", "-4", "rule"},
		{"ip", "-6", "rule"},
		{"ip", "-4", "-d", "route", "show", "table", "all"},
		{"ip", "-6", "-d", "route", "show", "table", "all"},
		{"tc", "qdisc"},
		{"nft", "list", "ruleset"},
	} {
		if _, err := exec.LookPath(look[0]); err != nil {
			continue
		}
		text := n.Output(t, look[0], look[1:]...)
		for _, v := range volatile {
			text = v.pattern.ReplaceAllString(text, v.text)
		}
		if look[0] == "ip" {
			lines := strings.Split(strings.TrimSpace(text), "\n")
			slices.Sort(lines)
			text = strings.Join(lines, "\n") + "\n"
		}
		fmt.Fprintf(&b, "== %s\n%s", strings.Join(look, " "), text)
	}
	b.WriteString("== kernel parameters\n")
	n.Run(t, func() { writeSysctls(&b) })
	return b.String()
}

// writeSysctls reads the kernel parameters of this thread's namespace.
func writeSysctls(b *strings.Builder) {
	files := []string{"/proc/sys/net/ipv4/ip_forward"}
	for _, pattern := range []string{"/proc/sys/net/ipv4/conf/*/*", "/proc/sys/net/ipv6/conf/*/*"} {
		found, _ := filepath.Glob(pattern)
		files = append(files, found...)
	}
	for _, file := range files {
		// Some cannot be read at all, others are gone since they were found.
		if value, err := os.ReadFile(file); err == nil {
			fmt.Fprintf(b, "%s=%s\n", strings.TrimPrefix(file, "/proc/sys/"), strings.TrimSpace(string(value)))
		}
	}
}

// Unchanged ends the test if a new snapshot differs from an earlier one, and prints the lines that do.
func (n *Namespace) Unchanged(t testing.TB, before, when string) {
	t.Helper()
	if d := Diff(before, n.Snapshot(t)); d != "" {
		t.Fatalf("%s the network namespace is not as it was:\n%s", when, d)
	}
}

// Diff lists the lines that only one text has: those of the first with a minus, then those of the second with a plus.
func Diff(before, after string) string {
	var d strings.Builder
	for _, side := range []struct{ sign, text, other string }{{"-", before, after}, {"+", after, before}} {
		there := map[string]int{}
		for line := range strings.Lines(side.other) {
			there[line]++
		}
		for line := range strings.Lines(side.text) {
			if there[line]--; there[line] < 0 {
				d.WriteString(side.sign + line)
			}
		}
	}
	return d.String()
}
