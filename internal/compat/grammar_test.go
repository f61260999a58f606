// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
)

// schemasVar names a folder with another version of libvirt's grammar than the one that is installed.
const schemasVar = "VIRTNET_LIBVIRT_SCHEMAS"

// A grammar is one of libvirt's RELAX NG grammars, checked with xmllint.
type grammar struct {
	file string
	old  bool // older than what libvirt 11.3 writes
}

// openGrammar returns the grammar that begins with a definition of one of libvirt's files, or skips the test.
func openGrammar(t *testing.T, file, start string) grammar {
	t.Helper()
	testenv.NeedProgram(t, "xmllint")
	dir := os.Getenv(schemasVar)
	if dir == "" {
		dir = "/usr/share/libvirt/schemas"
	}
	path := filepath.Join(dir, file)
	if _, err := os.Stat(path); err != nil {
		testenv.Skip(t, "libvirt's grammar is not installed: %v", err)
	}
	networks, err := os.ReadFile(filepath.Join(dir, "network.rng"))
	require.NoError(t, err)
	old := !strings.Contains(string(networks), `name="register"`)
	if start == "" {
		return grammar{path, old}
	}
	wrapped := filepath.Join(t.TempDir(), "start.rng")
	text := fmt.Sprintf("<grammar xmlns='http://relaxng.org/ns/structure/1.0'><include href='file://%s'/><start><ref name='%s'/></start></grammar>", path, start)
	require.NoError(t, os.WriteFile(wrapped, []byte(text), 0o600))
	return grammar{wrapped, old}
}

// refused returns what the grammar has against each of the documents, by their names; valid ones are left out.
func (g grammar) refused(t *testing.T, texts map[string]string) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	names := sorted(texts)
	args := []string{"--noout", "--relaxng", g.file}
	for i, name := range names {
		file := filepath.Join(dir, fmt.Sprintf("%06d.xml", i))
		require.NoError(t, os.WriteFile(file, []byte(texts[name]), 0o600))
		args = append(args, file)
	}
	cmd := exec.Command("xmllint", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	refused := map[string][]string{}
	valid := 0
	lines := bufio.NewScanner(&said)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), dir+"/")
		if !ok {
			continue
		}
		var index int
		if _, err := fmt.Sscanf(rest, "%06d.xml", &index); err != nil || index >= len(names) {
			continue
		}
		if strings.HasSuffix(rest, " validates") {
			valid++
			continue
		}
		if _, problem, ok := strings.Cut(rest, ": "); ok {
			refused[names[index]] = append(refused[names[index]], problem)
		} else if refused[names[index]] == nil {
			refused[names[index]] = []string{rest}
		}
	}
	require.NoError(t, lines.Err())
	require.Equal(t, len(names), valid+len(refused), "xmllint said something about each document: %s", said.String())
	return refused
}

// checkGrammar wants the grammar to take what we write wherever it takes what libvirt writes. Where it refuses both, libvirt
// does not hold to its own grammar; the exceptions say why.
func checkGrammar(t *testing.T, g grammar, name string, ours, theirs map[string]string) {
	t.Helper()
	against := g.refused(t, ours)
	alike := map[string]string{}
	for id := range against {
		alike[id] = escaped(theirs[id])
	}
	also := map[string][]string{}
	if len(alike) > 0 {
		also = g.refused(t, alike)
	}
	exempt, unexplained := 0, 0
	known := exceptions
	if g.old {
		known = slices.Concat(exceptions, newer)
	}
	for _, id := range sorted(ours) {
		switch {
		case against[id] == nil:
		case also[id] == nil:
			t.Errorf("%s: the grammar takes what libvirt writes, and not what we do: %s\n%s", id, against[id], ours[id])
		default:
			exempt++
			doc, err := parseTree(ours[id])
			require.NoError(t, err)
			if doc.excepted(known) == "" {
				unexplained++
				t.Logf("%s: the grammar refuses what libvirt and we write, and no exception says why: %s\n%s", id, against[id], ours[id])
			}
		}
	}
	fmt.Printf("%s against libvirt's grammar: %d documents, %d valid, %d that it also refuses from libvirt, %d of them without a known reason\n",
		name, len(ours), len(ours)-len(against), exempt, unexplained)
}

// written returns, for the accepted documents of a file of records, what we write and what libvirt writes.
func written[D interface{ Format() ([]byte, error) }](t *testing.T, file string, read func(string) (D, error)) (ours, theirs map[string]string) {
	t.Helper()
	ours, theirs = map[string]string{}, map[string]string{}
	for i, r := range records(t, file) {
		if !r.Accept {
			continue
		}
		v, err := judge(r.XML, read)
		require.NoError(t, err, r.ID)
		if v.wrong == "" {
			id := fmt.Sprintf("%s line %d", r.ID, i+1)
			ours[id], theirs[id] = v.text, r.Canonical
		}
	}
	return ours, theirs
}

// readComplete is readNetwork with a bridge whose name is no template any more.
func readComplete(text string) (*network.Network, error) {
	n, err := readNetwork(text)
	if n != nil && n.Managed() && n.Bridge != nil {
		n.Bridge.Name = strings.ReplaceAll(n.Bridge.Name, "%d", "0")
	}
	return n, err
}

func TestNetworkGrammar(t *testing.T) {
	g := openGrammar(t, "network.rng", "")
	ours, theirs := written(t, "networks.jsonl", readComplete)
	checkGrammar(t, g, "networks", ours, theirs)
}

func TestInterfaceGrammar(t *testing.T) {
	g := openGrammar(t, "domaincommon.rng", "interface")
	ours, theirs := written(t, "interfaces.jsonl", readInterface)
	checkGrammar(t, g, "interfaces", ours, theirs)
}

func TestPortGrammar(t *testing.T) {
	g := openGrammar(t, "networkport.rng", "")
	theirs, ours := documents(t, "virnetworkportxml2xmldata"), map[string]string{}
	for name, text := range theirs {
		v, err := judge(text, readPort)
		require.NoError(t, err)
		ours[name] = v.text
	}
	checkGrammar(t, g, "ports", ours, theirs)
}
