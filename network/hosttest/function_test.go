// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// seen is what a look at a machine finds.
func seen(t *testing.T, m *Machine, scope host.Scope) string {
	t.Helper()
	f, err := m.Facts(t.Context(), scope)
	require.NoError(t, err)
	return f.String()
}

func TestAddPF(t *testing.T) {
	m := New("eth0")
	require.NoError(t, m.AddPF("eth8", 2))
	require.NoError(t, m.AddPF("eth9", 9))
	do(t, m, up("eth8v1"), host.AddAddr{Link: "eth8v1", Prefix: netip.MustParsePrefix("192.0.2.7/24")})
	want := strings.Join([]string{
		"link eth8v0 type - mac 02:01:00:00:00:01 mtu 1500 pci 0001:01:00.0",
		"link eth8v1 type - mac 02:01:00:00:00:02 mtu 1500 up pci 0001:01:00.1",
		"addr 192.0.2.7/24 dev eth8v1",
		"function 0001:01:00.0 of eth8 number 0 driver igbvf link eth8v0 group 1",
		"function 0001:01:00.1 of eth8 number 1 driver igbvf link eth8v1 group 2", "",
	}, "\n")
	require.Equal(t, want, withoutLinkLocal(seen(t, m, host.Scope{Functions: []string{"eth8", "eth0", "eth7"}})))
	require.Equal(t, "link eth9v8 type - mac 02:01:00:00:00:0c mtu 1500 pci 0002:01:01.0\nfunction 0002:01:01.0 of eth9 number 8 driver igbvf link eth9v8 group 12\n",
		seen(t, m, host.Scope{PCI: []host.PCI{{Domain: 2, Bus: 1, Slot: 1}, {Domain: 7}}}))
	require.Equal(t, "link eth9 type - mac 02:01:00:00:00:03 mtu 1500 up pci 0002:00:00.0\nfunction 0002:00:00.0 driver igb link eth9 group 3\n",
		seen(t, m, host.Scope{PCI: []host.PCI{{Domain: 2}}}))
	require.NotContains(t, seen(t, m, host.Scope{All: true}), "function")

	require.ErrorIs(t, m.AddPF("eth0", 1), fs.ErrExist)
	require.NoError(t, m.AddLink("eth7v3"))
	before := m.String()
	require.ErrorIs(t, m.AddPF("eth7", 4), fs.ErrExist)
	require.ErrorIs(t, m.AddPF("fifteenletters0", 1), fs.ErrInvalid)
	require.Equal(t, before, m.String())
}

func withoutLinkLocal(s string) string {
	var kept []string
	for line := range strings.Lines(s) {
		if !strings.Contains(line, "fe80:") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestBind(t *testing.T) {
	m := New()
	require.NoError(t, m.AddPF("eth8", 1))
	place := host.PCI{Domain: 1, Bus: 1}
	fresh := m.String()
	do(t, m, up("eth8v0"))
	require.NoError(t, m.Bind(place, "vfio-pci"))
	require.Equal(t, "function 0001:01:00.0 of eth8 number 0 driver vfio-pci group 1 node vfio1\n", seen(t, m, host.Scope{Functions: []string{"eth8"}, Links: []string{"eth8v0"}}))
	require.NoError(t, m.Bind(place, ""))
	require.Equal(t, "function 0001:01:00.0 of eth8 number 0 group 1\n", seen(t, m, host.Scope{PCI: []host.PCI{place}}))
	require.NoError(t, m.Bind(place, FunctionDriver))
	require.NoError(t, m.Bind(place, FunctionDriver))
	again := strings.ReplaceAll(fresh, "mac 02:01:00:00:00:01", "mac 02:01:01:00:00:01")
	require.Equal(t, again, m.String(), "the device is a new one, and down")
	require.NoError(t, m.Bind(place, "vfio-pci"))
	m.Reboot()
	require.Equal(t, fresh, m.String())
	require.NoError(t, m.AddMacvtap("mv0", "eth8v0", "passthru"))
	require.NoError(t, m.Bind(place, "vfio-pci"))
	require.Empty(t, seen(t, m, host.Scope{Macvtaps: true}), "what stands on it goes with it")
	require.ErrorIs(t, m.Bind(host.PCI{Domain: 9}, "vfio-pci"), fs.ErrNotExist)
}

func TestAddMacvtap(t *testing.T) {
	m := New("eth0", "eth1")
	require.NoError(t, m.AddMacvtap("mv0", "eth0", "bridge"))
	require.NoError(t, m.AddMacvtap("mv1", "eth0", "vepa"))
	require.NoError(t, m.AddMacvtap("mv2", "eth1", "passthru"))
	require.Regexp(t, "^link mv0 type macvtap .* on eth0 mode bridge\nlink mv1 .*\nlink mv2 .* on eth1 mode passthru\n$", seen(t, m, host.Scope{Macvtaps: true}))
	require.ErrorIs(t, m.AddMacvtap("mv3", "eth0", "passthru"), fs.ErrInvalid)
	require.ErrorIs(t, m.AddMacvtap("mv3", "eth1", "bridge"), fs.ErrInvalid)
	require.ErrorIs(t, m.AddMacvtap("mv3", "eth0", "veb"), fs.ErrInvalid)
	require.ErrorIs(t, m.AddMacvtap("mv3", "eth9", "vepa"), fs.ErrNotExist)
	require.ErrorIs(t, m.AddMacvtap("mv0", "eth0", "vepa"), fs.ErrExist)
	require.ErrorIs(t, m.AddMacvtap("m/0", "eth0", "vepa"), fs.ErrInvalid)
}
