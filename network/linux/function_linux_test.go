// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A sysTree is a folder like /sys.
type sysTree struct {
	t    *testing.T
	root string
}

func (s sysTree) link(target, path string) {
	s.t.Helper()
	path = filepath.Join(s.root, path)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.Symlink(target, path))
}

func (s sysTree) folder(path string) {
	s.t.Helper()
	require.NoError(s.t, os.MkdirAll(filepath.Join(s.root, path), 0o755))
}

// device puts a device on the PCI bus, with a driver and a network device unless they are empty.
func (s sysTree) device(place, driver, link string) {
	s.t.Helper()
	dir := "devices/pci0000:00/" + place
	s.folder(dir)
	s.link("../../../devices/pci0000:00/"+place, "bus/pci/devices/"+place)
	if driver != "" {
		s.folder("bus/pci/drivers/" + driver)
		s.link("../../../bus/pci/drivers/"+driver, dir+"/driver")
	}
	if link != "" {
		s.folder(dir + "/net/" + link)
		s.link("../../../"+place, dir+"/net/"+link+"/device")
		s.link("../../"+dir+"/net/"+link, "class/net/"+link)
	}
}

// card puts a card with virtual functions on the bus.
func (s sysTree) card(place, name string, functions ...string) {
	s.device(place, "igb", name)
	s.functions(place, functions...)
}

// functions makes devices the virtual functions of a card.
func (s sysTree) functions(place string, functions ...string) {
	for i, fn := range functions {
		s.link("../"+fn, fmt.Sprintf("devices/pci0000:00/%s/virtfn%d", place, i))
		s.link("../"+place, "devices/pci0000:00/"+fn+"/physfn")
	}
}

// openSys gives a backend that looks at such a folder, in a namespace that has those of its network devices which are named.
func openSys(t *testing.T, links ...string) (*linux.Backend, sysTree, *testenv.Namespace) {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "ip")
	ns := testenv.New(t)
	for _, link := range links {
		card(t, ns, link)
	}
	var b *linux.Backend
	ns.Run(t, func() {
		var err error
		b, err = linux.Open(linux.Config{RunDir: t.TempDir()})
		require.NoError(t, err)
	})
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	s := sysTree{t, t.TempDir()}
	b.SetSysfs(s.root)
	return b, s, ns
}

// group puts devices into an IOMMU group.
func (s sysTree) group(number string, places ...string) {
	s.t.Helper()
	for _, place := range places {
		s.link("../../../../devices/pci0000:00/"+place, "kernel/iommu_groups/"+number+"/devices/"+place)
		s.link("../../../kernel/iommu_groups/"+number, "devices/pci0000:00/"+place+"/iommu_group")
	}
}

// card makes a network device; any kind will do.
func card(t *testing.T, ns *testenv.Namespace, name string) {
	t.Helper()
	ns.Output(t, "ip", "tuntap", "add", "dev", name, "mode", "tap")
}

func TestFunctionsOfSysfs(t *testing.T) {
	b, s, _ := openSys(t, "card8v0")
	s.device("0000:08:10.0", "igbvf", "card8v0")
	s.device("0000:08:10.1", "vfio-pci", "")
	s.device("0000:08:10.2", "", "")
	s.card("0000:08:00.0", "card8", "0000:08:10.0", "0000:08:10.1", "0000:08:10.2", "0000:08:10.3")
	s.device("0000:09:00.0", "virtio-pci", "")
	s.folder("devices/pci0000:00/0000:09:00.0/virtio3/net/card9")
	s.folder("devices/virtual/net/br0")
	s.link("../../devices/virtual/net/br0", "class/net/br0")
	s.folder("devices/other/usb1/net/card7")
	s.link("../../devices/other/usb1/net/card7", "class/net/card7")
	s.link("../../../usb1", "devices/other/usb1/net/card7/device")

	f, err := b.Facts(t.Context(), host.Scope{Functions: []string{"card8", "br0", "card7", "gone"}, PCI: []host.PCI{{Bus: 9}, {Bus: 8}, {Bus: 8, Slot: 16, Function: 1}}})
	require.NoError(t, err)
	var got []string
	for _, fn := range f.Functions {
		got = append(got, fn.String())
	}
	assert.Equal(t, []string{
		"0000:08:00.0 driver igb link card8",
		"0000:09:00.0 driver virtio-pci link card9",
		"0000:08:10.0 of card8 number 0 driver igbvf link card8v0",
		"0000:08:10.1 of card8 number 1 driver vfio-pci",
		"0000:08:10.2 of card8 number 2",
		"0000:08:10.3 of card8 number 3",
	}, got)
	require.Len(t, f.Links, 1, "the others are in sysfs only")
	assert.Equal(t, "card8v0", f.Links[0].Name)

	alone, err := b.Facts(t.Context(), host.Scope{PCI: []host.PCI{{Bus: 8, Slot: 16, Function: 1}}})
	require.NoError(t, err)
	require.Len(t, alone.Functions, 1)
	assert.Equal(t, "0000:08:10.1 of card8 number 1 driver vfio-pci", alone.Functions[0].String())
}

func TestDevicesOfOtherNamespaces(t *testing.T) {
	_, s, ns := openSys(t)
	s.device("0000:08:10.0", "igbvf", "card8v0")
	s.card("0000:08:00.0", "card8", "0000:08:10.0")
	b, err := linux.Open(linux.Config{RunDir: t.TempDir(), Namespace: ns.Path()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	b.SetSysfs(s.root)
	f, err := b.Facts(t.Context(), host.Scope{Functions: []string{"card8"}, PCI: []host.PCI{{Bus: 8, Slot: 16}}})
	require.NoError(t, err)
	require.Len(t, f.Functions, 1)
	assert.Equal(t, "0000:08:10.0 driver igbvf", f.Functions[0].String(), "sysfs tells of the network devices of another namespace")
}

func TestPlaceOfLink(t *testing.T) {
	b, s, _ := openSys(t)
	s.link("../../../devices/pci0000:00/0000:09:00.0/virtio3", "bus/virtio/devices/virtio3")
	s.link("../../../devices/platform/a0.virtio_mmio/virtio4", "bus/virtio/devices/virtio4")
	for _, c := range []struct {
		bus, parent, want string
	}{
		{"pci", "0000:08:10.2", "0000:08:10.2"}, {"virtio", "virtio3", "0000:09:00.0"}, {"virtio", "virtio4", ""}, {"virtio", "virtio5", ""},
		{"", "", ""}, {"pci", "", ""}, {"usb", "1-1:1.0", ""}, {"netdevsim", "0000:08:10.2", ""},
	} {
		place, ok := b.PlaceOf(c.bus, c.parent)
		assert.Equal(t, c.want != "", ok, c.parent)
		if ok {
			assert.Equal(t, c.want, place.String())
		}
	}
}

func TestMacvtapFacts(t *testing.T) {
	testenv.NeedProgram(t, "ip")
	b, ns := open(t)
	card(t, ns, "card0")
	card(t, ns, "card1")
	for _, args := range [][]string{
		{"add", "mv0", "link", "card0", "type", "macvtap", "mode", "passthru"},
		{"add", "mv1", "link", "card1", "type", "macvlan", "mode", "private"},
		{"add", "mv2", "link", "card1", "type", "macvtap", "mode", "vepa"},
	} {
		ns.Output(t, "ip", append([]string{"link"}, args...)...)
	}
	f, err := b.Facts(t.Context(), host.Scope{Macvtaps: true})
	require.NoError(t, err)
	var got []string
	for _, l := range f.Links {
		got = append(got, fmt.Sprintf("%s %s %s %s", l.Name, l.Kind, l.Lower, l.Mode))
	}
	assert.Equal(t, []string{"mv0 macvtap card0 passthru", "mv1 macvlan card1 private", "mv2 macvtap card1 vepa"}, got)
	f, err = b.Facts(t.Context(), host.Scope{Links: []string{"card0"}})
	require.NoError(t, err)
	require.Len(t, f.Links, 1)
	assert.Empty(t, f.Links[0].Mode)
}

func TestMember(t *testing.T) {
	testenv.NeedProgram(t, "ip")
	b, ns := open(t)
	card(t, ns, "card0")
	for _, kind := range []string{"bond", "team", "vrf table 7"} {
		if err := ns.Command(t.Context(), "sh", "-c", "ip link add upper type "+kind+" && ip link set card0 master upper").Run(); err != nil {
			continue
		}
		f, err := b.Facts(t.Context(), host.Scope{Links: []string{"card0"}})
		require.NoError(t, err)
		assert.Equal(t, "upper", f.Link("card0").Member)
		assert.Empty(t, f.Link("card0").Master)
		return
	}
	testenv.Lack(t, "the kernel has no bond, team or vrf")
}
