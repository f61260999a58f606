// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/laws"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

// TestLaws starts and stops every document of package network in a namespace, with a fault and a kill at every step, and
// compares all that the machine's own tools see there.
func TestLaws(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	laws.Run(t, openWorld, "../testdata/managed", "../testdata/valid")
}

// TestLawsHere is TestLaws with servers in this process, for the documents that are started.
func TestLawsHere(t *testing.T) {
	testenv.NeedRoot(t)
	if testing.Short() {
		testenv.Skip(t, "it takes half a minute, and is run in full elsewhere")
	}
	laws.Run(t, func(t *testing.T) laws.World { return openWorldWith(t, &serve.Engine{}) }, "../testdata/managed")
}

func openWorld(t *testing.T) laws.World { return openWorldWith(t, nil) }

func openWorldWith(t *testing.T, engine host.Engine) laws.World {
	ns := testenv.New(t)
	ns.Output(t, "ip", "link", "add", "eth0", "type", "ifb")
	ns.SetSysctl(t, "net/ipv6/conf/eth0/disable_ipv6", "1") // its link-local address would come and go
	ns.Output(t, "ip", "link", "set", "eth0", "up")
	run := filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.MkdirAll(run, 0o700))
	b, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: run, Engine: engine})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return laws.World{Backend: b, Snapshot: func() string {
		var files []string
		require.NoError(t, filepath.WalkDir(run, func(path string, _ os.DirEntry, err error) error {
			files = append(files, strings.TrimPrefix(path, run))
			return err
		}))
		return ns.Snapshot(t) + "\nprocesses: " + strings.Join(ns.Programs(t), ", ") + "\nfiles: " + strings.Join(files, ", ")
	}}
}

// TestLawsOfMany starts networks together, with servers, with a fault at some steps and a kill at others.
func TestLawsOfMany(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	every := 7
	if testing.Short() {
		every = 23
	}
	laws.RunMany(t, openWorld, every)
}
