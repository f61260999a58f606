// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A deviceHouse is a machine with cards and virtual functions, on which networks hand out devices.
type deviceHouse struct {
	*testing.T
	m     *hosttest.Machine
	store network.Store
	nets  *network.Manager
	next  int
}

func newDeviceHouse(t *testing.T, rules schema.Rules) *deviceHouse {
	h := &deviceHouse{T: t, m: hosttest.New("card1", "card2"), store: network.Memory()}
	require.NoError(t, h.m.AddPF("card8", 3))
	h.reopen(rules)
	return h
}

func (h *deviceHouse) reopen(rules schema.Rules) {
	h.Helper()
	var err error
	h.nets, err = network.Config{Rules: rules}.Open(h.Context(), h.m, h.store)
	require.NoError(h, err)
}

func (h *deviceHouse) create(name, forward string) {
	h.Helper()
	require.NoError(h, h.nets.Create(h.Context(), parse(h.T, "<network><name>"+name+"</name>"+forward+"</network>")))
}

// give makes a port, and returns its device.
func (h *deviceHouse) give(name string) (string, *network.PortStatus, error) {
	h.next++
	id, err := schema.ParseUUID(fmt.Sprintf("20000000-0000-4000-8000-%012d", h.next))
	require.NoError(h, err)
	p, err := h.nets.CreatePort(h.Context(), network.PortRequest{Network: name, Port: &network.Port{
		UUID: id, Owner: &network.Owner{Name: fmt.Sprint("guest", h.next), UUID: id}, MAC: &network.MAC{Address: schema.MAC{2, 0, 0, 0, 0, byte(h.next)}},
	}})
	switch {
	case err != nil:
		return "", nil, err
	case p.Port.Plug.Address != nil:
		return p.Port.Plug.Address.String(), p, nil
	}
	return p.Port.Plug.Dev.String(), p, nil
}

func (h *deviceHouse) want(name, device string) *network.PortStatus {
	h.Helper()
	got, p, err := h.give(name)
	require.NoError(h, err)
	require.Equal(h, device, got)
	return p
}

func (h *deviceHouse) full(name string, says ...string) {
	h.Helper()
	_, _, err := h.give(name)
	require.ErrorIs(h, err, network.ErrFull)
	for _, text := range says {
		assert.Contains(h, err.Error(), text)
	}
}

const (
	functionsAlone = `<forward mode='passthrough'><pf dev='card8'/></forward>`
	functionsWhole = `<forward mode='hostdev' managed='yes'><pf dev='card8'/></forward>`
	cardsAlone     = `<forward mode='passthrough'><interface dev='card1'/><interface dev='card2'/></forward>`
)

func TestDevicesOfOneFunctionEach(t *testing.T) {
	h := newDeviceHouse(t, schema.Rules{})
	h.create("whole", functionsWhole)
	h.create("alone", functionsAlone)
	first := h.want("whole", "0001:01:00.0")
	h.want("alone", "card8v1")
	// What a guest has whole belongs to the driver that passes it through.
	require.NoError(t, h.m.Bind(host.PCI{Domain: 1, Bus: 1}, "vfio-pci"))
	h.reopen(schema.Rules{})
	h.want("whole", "0001:01:00.2")
	h.full("whole", `0001:01:00.0 is held alone by port 20000000-0000-4000-8000-000000000001 of guest "guest1" on network "whole"`,
		`card8v1 (0001:01:00.1) is held alone by port 20000000-0000-4000-8000-000000000002 of guest "guest2" on network "alone"`)
	h.full("alone")
	require.NoError(t, h.nets.DeletePort(t.Context(), "whole", first.Port.UUID))
	h.full("alone", "0001:01:00.0 has no network device, its driver is vfio-pci")
	require.NoError(t, h.m.Bind(host.PCI{Domain: 1, Bus: 1}, hosttest.FunctionDriver))
	h.want("alone", "card8v0")
	s, err := h.nets.Lookup(t.Context(), "alone")
	require.NoError(t, err)
	text, err := s.Live.Format()
	require.NoError(t, err)
	assert.Contains(t, string(text), `<network connections='2'>`)
	assert.Contains(t, string(text), `<interface dev='card8v0' connections='1'/>`)
}

// TestDevicesAreLookedAtAgain takes devices into use by the host after the network has offered them.
func TestDevicesAreLookedAtAgain(t *testing.T) {
	uses := map[string]struct {
		use  func(m *hosttest.Machine) error
		says string
	}{
		"address": {func(m *hosttest.Machine) error {
			return m.Do(context.Background(), host.AddAddr{Link: "card2", Prefix: netip.MustParsePrefix("192.0.2.7/24")})
		}, "card2 is used by the host, which has address 192.0.2.7/24 there"},
		"macvtap": {func(m *hosttest.Machine) error { return m.AddMacvtap("mv0", "card2", "passthru") }, "card2 is taken by the macvtap device mv0"},
	}
	for name, c := range uses {
		t.Run(name, func(t *testing.T) {
			h := newDeviceHouse(t, schema.Rules{})
			h.create("cards", cardsAlone)
			first := h.want("cards", "card1")
			require.NoError(t, c.use(h.m))
			before := h.nets.Ports(t.Context(), "cards")
			h.full("cards", "card1 is held alone by port", c.says)
			for p, err := range before {
				require.NoError(t, err)
				require.Equal(t, first.Port.UUID, p.Port.UUID)
			}
			require.NoError(t, h.nets.DeletePort(t.Context(), "cards", first.Port.UUID))
			h.want("cards", "card1")

			h = newDeviceHouse(t, schema.Rules{Compat: true})
			h.create("cards", cardsAlone)
			h.want("cards", "card1")
			require.NoError(t, c.use(h.m))
			last := h.want("cards", "card2")
			h.reopen(schema.Rules{Compat: true})
			require.NoError(t, h.nets.DeletePort(t.Context(), "cards", last.Port.UUID))
		})
	}
	t.Run("function", func(t *testing.T) {
		h := newDeviceHouse(t, schema.Rules{})
		h.create("functions", functionsAlone)
		h.want("functions", "card8v0")
		require.NoError(t, h.m.Bind(host.PCI{Domain: 1, Bus: 1, Function: 1}, "vfio-pci"))
		h.want("functions", "card8v2")
		require.NoError(t, h.m.Bind(host.PCI{Domain: 1, Bus: 1, Function: 1}, hosttest.FunctionDriver))
		h.want("functions", "card8v1")
	})
}

func TestNetworkWithoutFunctions(t *testing.T) {
	h := newDeviceHouse(t, schema.Rules{})
	require.NoError(t, h.m.AddPF("card7", 0))
	require.NoError(t, h.m.AddPF("card9", 1))
	require.NoError(t, h.m.Bind(host.PCI{Domain: 3, Bus: 1}, "vfio-pci"))
	for pf, mode := range map[string]string{"card7": "hostdev", "card6": "hostdev", "card9": "passthrough"} {
		err := h.nets.Create(t.Context(), parse(t, "<network><name>n</name><forward mode='"+mode+"'><pf dev='"+pf+"'/></forward></network>"))
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, "/network/forward/pf/@dev: "+pf+" has no virtual functions that mode "+mode+" could use", err.Error())
	}
	h.create("n", "<forward mode='hostdev'><pf dev='card9'/></forward>")
	h.want("n", "0003:01:00.0")
}

func TestSharedFunctionsComeAndGo(t *testing.T) {
	second := host.PCI{Domain: 1, Bus: 1, Function: 1}
	for _, rules := range []schema.Rules{{}, {Compat: true}} {
		h := newDeviceHouse(t, rules)
		require.NoError(t, h.m.Bind(second, "vfio-pci"))
		h.create("n", "<forward mode='vepa'><pf dev='card8'/></forward>")
		h.want("n", "card8v0")
		require.NoError(t, h.m.Bind(second, hosttest.FunctionDriver))
		if !rules.Compat {
			h.want("n", "card8v1")
		}
		h.want("n", "card8v2")
		h.want("n", "card8v0")
	}
}

// TestDevicesOfAnotherDocument changes the devices of a network between two runs of it.
func TestDevicesOfAnotherDocument(t *testing.T) {
	h := newDeviceHouse(t, schema.Rules{})
	h.create("n", cardsAlone)
	p := h.want("n", "card1")
	require.NoError(t, h.nets.DeletePort(t.Context(), "n", p.Port.UUID))
	require.NoError(t, h.nets.Stop(t.Context(), "n"))
	h.create("n", "<forward mode='passthrough'><interface dev='card2'/></forward>")
	h.want("n", "card2")
	h.full("n")
	require.NoError(t, h.nets.Stop(t.Context(), "n"))
	h.create("n", functionsWhole)
	h.want("n", "0001:01:00.0")
}

// TestDevicesForMany has many guests of two managers ask for the devices of networks that have some in common.
func TestDevicesForMany(t *testing.T) {
	h := newDeviceHouse(t, schema.Rules{})
	require.NoError(t, h.m.AddPF("card9", 40))
	h.create("whole", `<forward mode='hostdev' managed='yes'><pf dev='card9'/></forward>`)
	h.create("alone", `<forward mode='passthrough'><pf dev='card9'/></forward>`)
	other, err := network.Config{}.Open(t.Context(), h.m, h.store)
	require.NoError(t, err)
	var mu sync.Mutex
	var wg sync.WaitGroup
	got, full := map[string]int{}, 0
	for i := range 50 {
		wg.Go(func() {
			id, err := schema.ParseUUID(fmt.Sprintf("30000000-0000-4000-8000-%012d", i))
			assert.NoError(t, err)
			nets, name := h.nets, "whole"
			if i%2 == 0 {
				nets = other
			}
			if i%3 == 0 {
				name = "alone"
			}
			p, err := nets.CreatePort(t.Context(), network.PortRequest{Network: name, Port: &network.Port{
				UUID: id, Owner: &network.Owner{Name: "g", UUID: id}, MAC: &network.MAC{Address: schema.MAC{2, 0, 0, 0, 1, byte(i)}},
			}})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				assert.ErrorIs(t, err, network.ErrFull)
				full++
			case p.Port.Plug.Address != nil:
				got[p.Port.Plug.Address.String()]++
			default:
				f, err := h.m.Facts(t.Context(), host.Scope{Links: []string{p.Port.Plug.Dev.String()}})
				assert.NoError(t, err)
				got[f.Links[0].PCI.String()]++
			}
		})
	}
	wg.Wait()
	assert.Len(t, got, 40)
	assert.Equal(t, 10, full)
	for place, guests := range got {
		assert.Equal(t, 1, guests, place)
	}
}

func TestReclaimOfAnotherBridge(t *testing.T) {
	h := newDeviceHouse(t, schema.Rules{})
	require.NoError(t, h.nets.Define(t.Context(), small(t, 1)))
	require.NoError(t, h.nets.Start(t.Context(), "net1"))
	p, err := network.ParsePort(strings.NewReader(`<networkport><uuid>40000000-0000-4000-8000-000000000001</uuid>
<owner><name>g</name><uuid>40000000-0000-4000-8000-000000000002</uuid></owner><mac address='52:54:00:00:00:01'/><plug type='network' bridge='other0'/></networkport>`))
	require.NoError(t, err)
	_, err = h.nets.CreatePort(t.Context(), network.PortRequest{Network: "net1", Port: p, Reclaim: true})
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.Contains(t, err.Error(), "/networkport/plug/@bridge: other0 is not the bridge of network \"net1\"")
	p.Plug.Bridge = "virbr0"
	s, err := h.nets.CreatePort(t.Context(), network.PortRequest{Network: "net1", Port: p, Reclaim: true})
	require.NoError(t, err)
	require.NoError(t, h.nets.DeletePort(t.Context(), "net1", s.Port.UUID))
}

// BenchmarkLastDevice makes and deletes the port that gets the last free virtual function.
func BenchmarkLastDevice(b *testing.B) {
	for _, functions := range []int{10, 10_000} {
		b.Run(fmt.Sprint(functions), func(b *testing.B) {
			m := hosttest.New()
			require.NoError(b, m.AddPF("card8", functions))
			nets := open(b, m, network.Memory())
			require.NoError(b, nets.Create(b.Context(), parse(b, "<network><name>n</name>"+functionsWhole+"</network>")))
			add := func(i int) schema.UUID {
				id, err := schema.ParseUUID(fmt.Sprintf("30000000-0000-4000-8000-%012d", i))
				require.NoError(b, err)
				_, err = nets.CreatePort(b.Context(), network.PortRequest{Network: "n", Port: &network.Port{
					UUID: id, Owner: &network.Owner{Name: "g", UUID: id}, MAC: &network.MAC{Address: schema.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}},
				}})
				require.NoError(b, err)
				return id
			}
			for i := range functions - 1 {
				add(i)
			}
			for b.Loop() {
				require.NoError(b, nets.DeletePort(b.Context(), "n", add(functions)))
			}
		})
	}
}
