// SPDX-License-Identifier: Apache-2.0

// Package arch holds no code; its test says which package may know which.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/go-virtnet/virtnet"

// may lists, for each package that embedders get, the packages of this module that it may import itself. A package that
// is not listed may import nothing of this module.
var may = map[string][]string{
	"":                   {},
	"internal/xmldoc":    {},
	"network/schema":     {"internal/xmldoc"},
	"virtualport":        {"network/schema"},
	"qos":                {"network/schema"},
	"hostdev":            {"network/schema"},
	"network/host":       {},
	"internal/trust":     {},
	"network":            {"internal/trust", "network/schema", "network/host", "virtualport", "qos", "hostdev"},
	"domainiface":        {"network", "network/schema", "network/host", "virtualport", "qos", "hostdev"},
	"network/hosttest":   {"network/host"},
	"internal/rtnl":      {},
	"internal/nft":       {"network/host", "internal/rtnl"},
	"internal/dnsmasq":   {"network/host"},
	"internal/tc":        {"internal/rtnl"},
	"internal/lldp":      {},
	"internal/vdp":       {},
	"internal/dbus":      {},
	"internal/firewalld": {"network/host", "internal/dbus"},
	"internal/resolved":  {"network/host", "internal/dbus"},
	"internal/ovs":       {"network/host"},
	"network/serve":      {"network/host", "internal/dnsmasq"},
	"network/linux":      {"network/host", "internal/trust", "internal/rtnl", "internal/nft", "internal/tc", "internal/dnsmasq", "internal/lldp", "internal/vdp", "internal/ovs", "internal/dbus", "internal/firewalld", "internal/resolved"},
}

// public are the packages that embedders import.
var public = []string{"", "network", "network/schema", "network/host", "network/hosttest", "network/linux", "domainiface", "virtualport", "qos", "hostdev"}

// modules are those that a program gets by importing any of the public packages.
var modules = []string{
	"github.com/florianl/go-tc", "github.com/godbus/dbus/v5", "github.com/josharian/native", "github.com/mdlayher/netlink", "github.com/mdlayher/socket", "github.com/vishvananda/netlink", "github.com/vishvananda/netns",
	"golang.org/x/net", "golang.org/x/sync", "golang.org/x/sys",
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
	Standard   bool
}

// list runs go list for Linux, so that the test says the same everywhere.
func list(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Module,Standard"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), "GOOS=linux")
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("%v: %s", cmd, exit.Stderr)
	}
	require.NoError(t, err)
	var packages []goPackage
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// local is the path of a package within this module, and false for one outside.
func local(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func TestArrowsGoDown(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "./...") {
		name, _ := local(p.ImportPath)
		allowed, known := may[name]
		if !known {
			continue
		}
		seen[name] = true
		for _, imported := range p.Imports {
			if to, ours := local(imported); ours && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
	for name := range may {
		require.True(t, seen[name], "package %s is gone", path.Join(module, name))
	}
}

func TestOnlyWhatEmbeddersNeed(t *testing.T) {
	var paths []string
	for _, name := range public {
		paths = append(paths, path.Join(module, name))
	}
	for _, p := range list(t, append([]string{"-deps"}, paths...)...) {
		if p.Standard || p.Module == nil {
			continue
		}
		name, ours := local(p.ImportPath)
		if !ours {
			require.Contains(t, modules, p.Module.Path, "embedders get %s", p.ImportPath)
			continue
		}
		_, listed := may[name]
		require.True(t, listed, "embedders get %s", p.ImportPath)
	}
}

// TestWithoutDBus builds without the library for D-Bus, which is as large as all others together.
func TestWithoutDBus(t *testing.T) {
	for _, p := range list(t, "-deps", "-tags", "virtnet_nodbus", "./network/linux") {
		require.NotContains(t, p.ImportPath, "godbus")
	}
}

func TestOnlyOnePackageKnowsEachLibrary(t *testing.T) {
	owners := map[string][]string{
		"github.com/vishvananda/netlink": {"internal/rtnl"},
		"github.com/mdlayher/netlink":    {"internal/rtnl", "internal/nft", "internal/tc", "network/linux"},
		"github.com/florianl/go-tc":      {"internal/tc"},
		"github.com/godbus/dbus/v5":      {"internal/dbus"},
	}
	for _, p := range list(t, "./...") {
		for _, imported := range p.Imports {
			allowed, watched := owners[imported]
			if name, _ := local(p.ImportPath); watched && !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}
