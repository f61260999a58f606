// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
)

// TestFirstSteps does what docs/virtnet.md tells a newcomer to do, line by line, in namespaces of the test: with a state
// and a guest of its own, and with a DHCP client that is always there.
func TestFirstSteps(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "nft")
	t.Parallel()
	ns, box, dir := testenv.New(t), testenv.New(t), t.TempDir()
	before := ns.Snapshot(t)
	here := []string{"--netns", ns.Path(), "--state", filepath.Join(dir, "state"), "--run-dir", filepath.Join(dir, "run")}
	paths := strings.NewReplacer("examples/virtnet/", "./", "/run/netns/box", box.Path(), "box.xml", filepath.Join(dir, "box.xml"))
	said := map[string]string{}
	_, lines, _ := strings.Cut(firstSteps, "```sh\n")
	lines, _, _ = strings.Cut(lines, "```")
	for line := range strings.Lines(lines) {
		line, _, _ = strings.Cut(line, "#")
		line, _, _ = strings.Cut(strings.TrimSpace(line), " > networks.svg")
		words := strings.Fields(paths.Replace(line))
		switch {
		case words[0] == "virtnet":
			out, errs, status := station{}.at(t, append(words[1:], here...)...)
			require.Zero(t, status, "%s: %s", line, errs)
			said[words[1]] = out
		case words[0] == "echo":
			text, _, _ := strings.Cut(strings.TrimPrefix(line, "echo "), " > ")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "box.xml"), []byte(strings.Trim(text, `"`)), 0o600))
		case strings.HasPrefix(line, "ip netns add "): // which is there
		case strings.HasPrefix(line, "ip -n box "):
			box.Output(t, "ip", words[3:]...)
		case strings.Contains(line, "udhcpc"):
			box.Run(t, func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := dhcpclient.Lease(ctx, "eth0", dhcpclient.Options{Retransmit: 500 * time.Millisecond})
				require.NoError(t, err)
			})
		default:
			t.Fatalf("the test does not know how to do %q", line)
		}
	}
	require.Regexp(t, `192\.168\.122\.\d+ +default +box +.* lease`, said["leases"])
	require.Contains(t, said["graph"], "vnet0")
	ns.Unchanged(t, before, "after all of it")
}
