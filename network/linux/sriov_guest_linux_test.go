// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

// openOnCard gives a manager for a namespace with a card.
func openOnCard(t *testing.T, functions int) (*realCard, *linux.Backend, *network.Manager) {
	t.Helper()
	b, ns := open(t)
	c := needCard(t, ns, functions)
	nets, err := network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	return c, b, nets
}

func attach(t *testing.T, nets *network.Manager, guest, text string) (*domainiface.Port, error) {
	t.Helper()
	i, err := domainiface.Parse(strings.NewReader(text))
	require.NoError(t, err)
	return domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: guest}, i)
}

// driver is the driver of a function, by what the kernel says.
func (c *realCard) driver(number int) string {
	c.t.Helper()
	target, err := os.Readlink(filepath.Join("/sys/bus/pci/devices", c.functions[number], "driver"))
	require.NoError(c.t, err)
	return filepath.Base(target)
}

// vf is the line of a function, by what ip says.
func (c *realCard) vf(number int) string {
	c.t.Helper()
	for line := range strings.Lines(c.ns.Output(c.t, "ip", "link", "show", c.name)) {
		if strings.HasPrefix(strings.TrimSpace(line), fmt.Sprintf("vf %d ", number)) {
			return line
		}
	}
	c.t.Fatalf("the card has no function %d", number)
	return ""
}

// TestFunctionGuest gives a guest a function, and takes it back when the guest has let go of it.
func TestFunctionGuest(t *testing.T) {
	c, _, nets := openOnCard(t, 2)
	c.up(c.function(0))
	before := c.ns.Snapshot(t)
	port, err := attach(t, nets, "web", c.hostdev(0, "<vlan><tag id='42'/></vlan>"))
	require.NoError(t, err)
	require.Equal(t, "vfio-pci", c.driver(0))
	require.Contains(t, c.vf(0), guestA.String())
	require.Contains(t, c.vf(0), "vlan 42")

	device, err := port.Passthrough(t.Context())
	require.NoError(t, err)
	require.Equal(t, c.functions[0], device.PCI.String())
	guest, err := os.OpenFile(device.Group, os.O_RDWR, 0)
	require.NoError(t, err)
	if device.Device != "" {
		require.DirExists(t, filepath.Join("/sys/bus/pci/devices", c.functions[0], "vfio-dev", filepath.Base(device.Device)))
	}
	require.ErrorIs(t, port.Detach(t.Context()), fs.ErrExist, "the guest still has it open")
	require.NoError(t, guest.Close())
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, "igbvf", c.driver(0))
	c.ns.Unchanged(t, before, "after the guest")
}

// TestFunctionRemade makes the functions anew while a guest has one.
func TestFunctionRemade(t *testing.T) {
	c, _, nets := openOnCard(t, 1)
	port, err := attach(t, nets, "web", c.hostdev(0, "<vlan><tag id='42'/></vlan>"))
	require.NoError(t, err)
	c.number(1)
	before := c.ns.Snapshot(t)
	drifts, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, drifts, 1)
	require.Equal(t, c.functions[0], drifts[0].Lost)
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, "igbvf", c.driver(0))
	c.ns.Unchanged(t, before, "a function that was made anew")
}

// TestFunctionPool passes over what the host uses.
func TestFunctionPool(t *testing.T) {
	c, _, nets := openOnCard(t, 2)
	n, err := network.Parse(strings.NewReader("<network><name>pool</name><forward mode='hostdev' managed='yes'><pf dev='" + c.name + "'/></forward></network>"))
	require.NoError(t, err)
	c.ns.Output(t, "ip", "addr", "add", "192.0.2.7/24", "dev", c.function(0))
	require.NoError(t, nets.Create(t.Context(), n))
	const text = `<interface type='network'><source network='pool'/></interface>`
	port, err := attach(t, nets, "web", text)
	require.NoError(t, err)
	require.Equal(t, c.functions[1], port.Document.Plug.Address.String())
	_, err = attach(t, nets, "db", text)
	require.ErrorIs(t, err, network.ErrFull)
	require.ErrorContains(t, err, c.functions[0]+") is used by the host, which has address 192.0.2.7/24 there")
	require.NoError(t, port.Detach(t.Context()))
}

// TestFunctionBelow has a guest on a macvtap device on a function, in a VLAN, talk to a station on the wire, which is
// another card.
func TestFunctionBelow(t *testing.T) {
	c, _, nets := openOnCard(t, 2)
	wire, machine := testenv.New(t), testenv.New(t)
	others, err := filepath.Glob("/sys/class/net/*/device/sriov_numvfs")
	require.NoError(t, err)
	require.NotEmpty(t, others, "there is a second card")
	run(t, "ip", "link", "set", filepath.Base(filepath.Dir(filepath.Dir(others[0]))), "netns", wire.Path(), "name", "card")
	wire.Output(t, "ip", "link", "set", "card", "up")
	wire.Output(t, "ip", "link", "add", "link", "card", "name", "card.42", "type", "vlan", "id", "42")
	wire.Output(t, "ip", "addr", "add", "10.6.0.9/24", "dev", "card.42")
	wire.Output(t, "ip", "link", "set", "card.42", "up")

	c.up(c.function(0))
	before := c.ns.Snapshot(t)
	text := fmt.Sprintf(`<interface type='direct'><mac address='%s'/><source dev='%s' mode='passthrough'/><vlan><tag id='42'/></vlan></interface>`, guestA, c.function(0))
	port, err := attach(t, nets, "web", text)
	require.NoError(t, err)
	files, err := port.Open(t.Context(), 1)
	require.NoError(t, err)
	defer files[0].Close()
	monitor, err := lab.Boot(machine.Path(), "eth0", net.HardwareAddr(guestA[:]), files[0])
	require.NoError(t, err)
	machine.Output(t, "ip", "addr", "add", "10.6.0.1/24", "dev", "eth0")
	testenv.WaitFor(t, 30*time.Second, "the station answers", func() bool {
		return machine.Command(t.Context(), "ping", "-c", "1", "-W", "1", "10.6.0.9").Run() == nil
	})
	require.Contains(t, wire.Output(t, "ip", "neighbour", "show", "dev", "card.42"), guestA.String())
	require.NoError(t, monitor.Close())
	require.NoError(t, port.Detach(t.Context()))
	c.ns.Unchanged(t, before, "after the guest")

	// The card has given the function another address, which its driver has not noticed yet.
	c.ns.Output(t, "ip", "link", "set", c.name, "vf", "0", "mac", guestB.String())
	for range 2 {
		port, err = attach(t, nets, "web", text)
		require.NoError(t, err)
		require.Contains(t, c.vf(0), guestA.String())
		require.Contains(t, c.ns.Output(t, "ip", "link", "show", c.function(0)), guestA.String())
		drifts, err := nets.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, drifts)
		require.NoError(t, port.Detach(t.Context()))
		require.Contains(t, c.vf(0), guestB.String())
		require.Contains(t, c.ns.Output(t, "ip", "link", "show", c.function(0)), guestB.String())
		before = c.ns.Snapshot(t)
	}
	c.ns.Unchanged(t, before, "after the guest with the fixed address")
	c.ns.Output(t, "ip", "addr", "add", "192.0.2.7/24", "dev", c.function(0))
	before = c.ns.Snapshot(t)
	_, err = attach(t, nets, "web", text)
	require.ErrorIs(t, err, fs.ErrExist, "the host uses it")
	c.ns.Unchanged(t, before, "after the refusal")
}

// TestFunctionUnmanaged passes over what nobody has handed over.
func TestFunctionUnmanaged(t *testing.T) {
	c, _, nets := openOnCard(t, 3)
	bind := func(number int, driver string) {
		t.Helper()
		dir := filepath.Join("/sys/bus/pci/devices", c.functions[number])
		require.NoError(t, os.WriteFile(filepath.Join(dir, "driver/unbind"), []byte(c.functions[number]), 0))
		if driver == "" {
			return
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "driver_override"), []byte(driver), 0))
		require.NoError(t, os.WriteFile("/sys/bus/pci/drivers_probe", []byte(c.functions[number]), 0))
	}
	bind(1, "")
	bind(2, "vfio-pci")
	n, err := network.Parse(strings.NewReader("<network><name>pool</name><forward mode='hostdev'><pf dev='" + c.name + "'/></forward></network>"))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	const text = `<interface type='network'><source network='pool'/></interface>`
	port, err := attach(t, nets, "web", text)
	require.NoError(t, err)
	require.Equal(t, c.functions[2], port.Document.Plug.Address.String())
	_, err = attach(t, nets, "db", text)
	require.ErrorIs(t, err, network.ErrFull)
	require.ErrorContains(t, err, c.functions[0]+") is not managed, and driver igbvf has it")
	require.ErrorContains(t, err, c.functions[1]+" is not managed, and no driver has it")
	require.NoError(t, port.Detach(t.Context()))
	require.Equal(t, "vfio-pci", c.driver(2))
}

// TestFunctionIsKilled is TestAttachIsKilled for guests on functions.
func TestFunctionIsKilled(t *testing.T) {
	for _, kind := range []string{"function", "function below", "fixed function below"} {
		t.Run(kind, func(t *testing.T) {
			mayHaveCard(t)
			testenv.NeedProgram(t, "dnsmasq")
			newAttachWorld(t, kind).killAttacher(4)
		})
	}
}
