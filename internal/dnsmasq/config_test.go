// SPDX-License-Identifier: Apache-2.0

package dnsmasq_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the wanted configuration into the files of testdata")

const separator = "-- dnsmasq.conf --\n"

// readCase reads a file of testdata: a server as JSON, and the configuration that is wanted for it.
func readCase(t *testing.T, path string) (server host.Server, source, want string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	source, want, _ = strings.Cut(string(data), separator)
	decoder := json.NewDecoder(strings.NewReader(source))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&server))
	require.NoError(t, host.Serve{Server: server}.Check())
	return server, source, want
}

func TestConfig(t *testing.T) {
	paths, err := filepath.Glob("testdata/config/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			server, source, want := readCase(t, path)
			got, err := dnsmasq.Config(&server, dnsmasq.Files{Leases: "/run/virtnet/" + server.Name + "/leases"})
			require.NoError(t, err)
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(source+separator+string(got)), 0o644))
				return
			}
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProgramTakesConfig asks the real program about every configuration of testdata.
func TestProgramTakesConfig(t *testing.T) {
	testenv.NeedProgram(t, "dnsmasq")
	paths, err := filepath.Glob("testdata/config/*.txt")
	require.NoError(t, err)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			_, _, want := readCase(t, path)
			testSyntax(t, []byte(want))
		})
	}
}

func testSyntax(t *testing.T, conf []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dnsmasq.conf")
	require.NoError(t, os.WriteFile(file, conf, 0o600))
	cmd := exec.Command("dnsmasq", "--test", "--conf-file="+file)
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, conf)
}
