// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Wrong calls say what is wrong, and how it should be.
func TestWrongCalls(t *testing.T) {
	s, _ := inMemory(t)
	for _, c := range []struct{ args, want string }{
		{"validate", "FILE... is missing"},
		{"validate --json", "FILE... is missing"},
		{"validate --format=xml a", "neither text nor json"},
		{"validate --color a", "flag provided but not defined: -color"},
		{"format", "FILE is missing"},
		{"format a b", "too many arguments: a b"},
		{"format --json a", "flag provided but not defined: -json"},
		{"explain", "[NETWORK] INTERFACE is missing"},
		{"explain --format=xml a", "neither text nor json"},
		{"explain a b c", "too many arguments: a b c"},
		{"plan", "FILE|NAME is missing"},
		{"up a b", "too many arguments: a b"},
		{"up --loud a", "flag provided but not defined: -loud"},
		{"up a --loud", "flag provided but not defined: -loud"},
		{"up --autostart", "none is named"},
		{"up --autostart=perhaps lan", "invalid boolean value"},
		{"down", "NAME is missing"},
		{"list x", "too many arguments: x"},
		{"show", "NAME is missing"},
		{"attach --guest web", "FILE is missing"},
		{"attach -", "--guest NAME"},
		{"attach --guest", "flag needs an argument: -guest"},
		{"detach", "UUID|DEVICE is missing"},
		{"leases a b", "too many arguments: a b"},
		{"check --dry-run", "flag provided but not defined: -dry-run"},
		{"repair a b", "too many arguments: a b"},
		{"repair --watch lan", "--watch repairs all networks"},
		{"repair --watch --dry-run", "--watch repairs all networks"},
		{"doctor --format=xml", "neither text nor json"},
		{"doctor a b", "too many arguments: a b"},
		{"graph --format png", "neither mermaid nor svg"},
		{"demo x", "too many arguments: x"},
		{"help frobnicate", `no command "frobnicate"`},
	} {
		args := strings.Fields(c.args)
		out, errs, status := s.at(t, args...)
		require.Equal(t, 2, status, c.args)
		require.Empty(t, out, c.args)
		require.Contains(t, errs, c.want, c.args)
		require.Contains(t, errs, "usage: virtnet "+args[0], c.args)
	}
	out, errs, status := s.at(t)
	require.Equal(t, 2, status)
	require.Empty(t, out)
	require.Contains(t, errs, "usage: virtnet COMMAND")
	_, errs, status = s.at(t, "frobnicate")
	require.Equal(t, 2, status)
	require.Contains(t, errs, `no command "frobnicate"`)
}

// What is wrong with the arguments themselves is an error that names them.
func TestWrongArguments(t *testing.T) {
	s, _ := inMemory(t)
	missing := filepath.Join(t.TempDir(), "missing.xml")
	for _, verb := range []string{"validate", "format", "explain", "plan", "up", "attach", "doctor", "graph"} {
		_, errs, status := s.at(t, verb, missing)
		require.Equal(t, 1, status, verb)
		require.Contains(t, errs, missing, verb)
		folder := filepath.Dir(missing)
		_, errs, status = s.at(t, verb, folder)
		require.Equal(t, 1, status, verb)
		require.Contains(t, errs, folder, verb)
	}
	for _, verb := range []string{"plan", "up", "down", "show", "leases", "check", "repair", "doctor", "graph"} {
		_, errs, status := s.at(t, verb, "nothing")
		require.Equal(t, 1, status, verb)
		require.Equal(t, "virtnet: network \"nothing\" is not defined\n", errs, verb)
	}
	bad := file(t, "<network><name>n</name><bridge delay='31'/></network>")
	for _, verb := range []string{"validate", "plan", "up", "doctor", "graph"} {
		for flag, want := range map[string]string{"--json": `"rule":"bridge-delay"`, "--": "[bridge-delay]\n"} {
			out, errs, status := s.at(t, verb, flag, bad)
			require.Equal(t, 1, status, verb)
			require.Empty(t, errs, verb)
			require.Contains(t, out, want, verb)
		}
	}
	for _, verb := range []string{"plan", "up", "doctor", "graph"} {
		_, errs, status := s.at(t, verb, file(t, guestInterface))
		require.Equal(t, 1, status, verb)
		require.Contains(t, errs, "is no <network>", verb)
	}
}

// A file in this folder has to be told from a network.
func TestFileThatLooksLikeAName(t *testing.T) {
	s, _ := inMemory(t)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("lan", []byte(defaultNetwork), 0o600))
	_, errs, status := s.at(t, "up", "lan")
	require.Equal(t, 1, status)
	require.Equal(t, "virtnet: network \"lan\" is not defined; the file of that name is ./lan\n", errs)
	_, errs, status = s.at(t, "up", "./lan")
	require.Zero(t, status, errs)
}

// Flags may stand behind other arguments, and "--" ends them.
func TestFlagsAnywhere(t *testing.T) {
	s, _ := inMemory(t)
	out, errs, status := s.at(t, "up", sample("lan.xml"), "--json", "--autostart")
	require.Zero(t, status, errs)
	require.Contains(t, out, `"autostart": true`)
	_, errs, status = s.at(t, "show", "--", "--json")
	require.Equal(t, 1, status)
	require.Contains(t, errs, `network "--json" is not defined`)
}

// The networks that are marked are started together.
func TestAutostart(t *testing.T) {
	s, _ := inMemory(t)
	for _, line := range []string{"up --autostart LAN", "up LAB", "down lan", "down lab"} {
		_, errs, status := s.at(t, strings.Fields(strings.NewReplacer("LAN", sample("lan.xml"), "LAB", sample("lab.xml")).Replace(line))...)
		require.Zero(t, status, errs)
	}
	out, errs, status := s.at(t, "up")
	require.Zero(t, status, errs)
	require.Regexp(t, `lab +inactive .* no\nlan +active .* yes\n`, out)
	out, errs, status = s.at(t, "up", "--autostart=false", "lan")
	require.Zero(t, status)
	require.Equal(t, "virtnet: network \"lan\" ran already, and was left as it is\n", errs)
	require.Regexp(t, `lan +active .* no\n`, out)
}

// TestAnyArguments calls every command with arguments that make little sense. It ends with a status, and says something
// wherever that is not 0.
func TestAnyArguments(t *testing.T) {
	words := []string{
		"", "-", "--", "---", "=", "-=", "--=x", "lan", "x y", "\x00", "\xff\xfe", "é", strings.Repeat("a", 300), "../..", "/", "/dev/null", "%s%n", "*", "<network/>", "\n",
		"--json", "--json=maybe", "--format", "--format=svg", "--format=json", "--state", "--netns=/nowhere", "--run-dir=", "--guest", "--guest=", "--guest-netns=/", "--idle", "--undefine",
		"--autostart", "--dry-run", "--qemu", "-h", "00000000-0000-0000-0000-000000000000", "vnet0", sample("lan.xml"), sample("web.xml"), "1e9",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, of := range commands() {
		if of.name == "demo" {
			continue // which takes no arguments, and is tested by itself
		}
		s, _ := inMemory(t)
		for range 150 {
			args := []string{of.name}
			for range random.IntN(4) {
				args = append(args, words[random.IntN(len(words))])
			}
			out, errs, status := s.at(t, args...)
			require.LessOrEqual(t, status, 2, "%q", args)
			if status != 0 {
				require.NotEmpty(t, out+errs, "%q", args)
			}
		}
	}
}
