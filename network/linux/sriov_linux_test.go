// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A realCard is a network card with virtual functions, which is up in a namespace of the test's own, with the network
// devices of its functions.
type realCard struct {
	t  *testing.T
	ns *testenv.Namespace
	// dir is the card in sysfs, and name its network device.
	dir, name string
	// functions are the places of its virtual functions.
	functions []string
}

// mayHaveCard skips a test where cards may be in use.
func mayHaveCard(t *testing.T) {
	t.Helper()
	if os.Getenv(testenv.RingVar) != "3" {
		testenv.Skip(t, "needs a network card with virtual functions that a test may have, as in the virtual machine")
	}
}

// needCard finds such a card, and gives it so many functions. Only those of the virtual machine are taken.
func needCard(t *testing.T, ns *testenv.Namespace, functions int) *realCard {
	t.Helper()
	mayHaveCard(t)
	run(t, "modprobe", "-a", "igb", "igbvf", "vfio-pci", "vfio_iommu_type1", "macvtap")
	c := &realCard{t: t, ns: ns}
	ns.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1")
	testenv.WaitFor(t, 10*time.Second, "a card with a network device", func() bool {
		cards, err := filepath.Glob("/sys/class/net/*/device/sriov_numvfs")
		require.NoError(t, err)
		if len(cards) > 0 {
			c.name = filepath.Base(filepath.Dir(filepath.Dir(cards[0])))
			c.dir, err = filepath.EvalSymlinks(filepath.Dir(cards[0]))
			require.NoError(t, err)
		}
		return len(cards) > 0
	})
	link := c.name
	c.name = "sriov"
	c.take(link, c.name)
	c.up(c.name) // before its functions start: otherwise they take no address from it
	c.number(functions)
	t.Cleanup(func() { c.number(0) })
	return c
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// take moves a network device into the namespace. The kernel has given it a name that is free where it was.
func (c *realCard) take(link, name string) {
	c.t.Helper()
	run(c.t, "ip", "link", "set", link, "netns", c.ns.Path(), "name", name)
}

// up switches a network device on, and waits for the wire.
func (c *realCard) up(link string) {
	c.t.Helper()
	c.ns.Output(c.t, "ip", "link", "set", link, "up")
	testenv.WaitFor(c.t, 20*time.Second, link+" has a carrier", func() bool {
		return strings.Contains(c.ns.Output(c.t, "ip", "link", "show", link), "LOWER_UP")
	})
}

// number makes so many functions of the card, in place of those that it has.
func (c *realCard) number(functions int) {
	c.t.Helper()
	numvfs := filepath.Join(c.dir, "sriov_numvfs")
	require.NoError(c.t, os.WriteFile(numvfs, []byte("0"), 0o600))
	c.functions = nil
	if functions == 0 {
		return
	}
	require.NoError(c.t, os.WriteFile(numvfs, []byte(strconv.Itoa(functions)), 0o600))
	for i := range functions {
		place, err := os.Readlink(filepath.Join(c.dir, "virtfn"+strconv.Itoa(i)))
		require.NoError(c.t, err)
		c.functions = append(c.functions, filepath.Base(place))
		testenv.WaitFor(c.t, 10*time.Second, "the network device of a function", func() bool {
			links, err := filepath.Glob(filepath.Join(c.dir, "virtfn"+strconv.Itoa(i), "net/*"))
			require.NoError(c.t, err)
			for _, link := range links {
				c.take(filepath.Base(link), c.function(i))
			}
			return len(links) > 0
		})
	}
}

// fix has the card give a function an address, which its driver takes when it starts again.
func (c *realCard) fix(number int, mac host.MAC) {
	c.t.Helper()
	c.ns.Output(c.t, "ip", "link", "set", c.name, "vf", strconv.Itoa(number), "mac", mac.String())
	driver := filepath.Join("/sys/bus/pci/drivers/igbvf")
	require.NoError(c.t, os.WriteFile(filepath.Join(driver, "unbind"), []byte(c.functions[number]), 0))
	require.NoError(c.t, os.WriteFile(filepath.Join(driver, "bind"), []byte(c.functions[number]), 0))
	testenv.WaitFor(c.t, 10*time.Second, "the network device of a function", func() bool {
		links, err := filepath.Glob(filepath.Join("/sys/bus/pci/devices", c.functions[number], "net/*"))
		require.NoError(c.t, err)
		for _, link := range links {
			c.take(filepath.Base(link), c.function(number))
		}
		return len(links) > 0
	})
}

// hostdev is an interface that gives a guest a function whole.
func (c *realCard) hostdev(number int, content string) string {
	place, err := host.ParsePCI(c.functions[number])
	require.NoError(c.t, err)
	return fmt.Sprintf(`<interface type='hostdev' managed='yes'><mac address='%s'/><source><address type='pci' domain='%d' bus='%d' slot='%d' function='%d'/></source>%s</interface>`,
		guestA, place.Domain, place.Bus, place.Slot, place.Function, content)
}

// function is what the network device of a function is called.
func (c *realCard) function(number int) string { return fmt.Sprintf("%sv%d", c.name, number) }

func TestFunctionsOfCardConform(t *testing.T) {
	var ns *testenv.Namespace
	hosttest.Suite{
		Open: func(t *testing.T) host.Backend {
			var b *linux.Backend
			b, ns = open(t)
			return b
		},
		PF: func(t *testing.T) (string, int) {
			c := needCard(t, ns, 3)
			return c.name, len(c.functions)
		},
	}.RunFunctions(t)
}
