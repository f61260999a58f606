// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// The drivers that the machine has for its network cards, and for their virtual functions.
const (
	CardDriver     = "igb"
	FunctionDriver = "igbvf"
)

// A function is a network card on the PCI bus, or a virtual function of one. It stays when the machine is switched off.
type function struct {
	host.Function
	// name and mac are those of its network device, which is there as long as driver has the function.
	name   string
	mac    host.MAC
	driver string
}

// AddPF puts a network card with virtual functions into the machine, up and without addresses. The card is on a PCI bus of
// its own, number 0, and its functions are behind it: the first card at 0001:00:00.0 and its functions at 0001:01:00.0,
// 0001:01:00.1 and so on. The functions have network devices too, called NAMEv0, NAMEv1 and so on, which are down.
func (m *Machine) AddPF(name string, functions int) error {
	names := []string{name}
	for i := range functions {
		names = append(names, fmt.Sprintf("%sv%d", name, i))
	}
	defer m.lock().Unlock()
	for _, name := range names {
		if err := host.CheckName(name); err != nil {
			return err
		}
		if m.links[name] != nil {
			return exists("link %s", name)
		}
	}
	domain := uint32(1)
	for _, fn := range m.functions {
		domain = max(domain, fn.PCI.Domain+1)
	}
	card := &function{Function: host.Function{PCI: host.PCI{Domain: domain}}, driver: CardDriver}
	m.putFunction(card, name)
	m.links[name].Up = true
	for i := range functions {
		place := host.PCI{Domain: domain, Bus: uint32(1 + i/256), Slot: uint32(i/8) % 32, Function: uint32(i % 8)}
		m.putFunction(&function{Function: host.Function{PCI: place, PF: name, Index: i}, driver: FunctionDriver}, names[1+i])
	}
	return nil
}

// putFunction puts a function with its own driver and a new network device into the machine.
func (m *Machine) putFunction(fn *function, name string) {
	n := len(m.functions)
	fn.name, fn.mac = name, host.MAC{0: 2, 1: 1, 3: byte(n >> 16), 4: byte(n >> 8), 5: byte(n)}
	m.functions = append(m.functions, fn)
	if m.places == nil {
		m.places = map[host.PCI]*function{}
	}
	m.places[fn.PCI] = fn
	m.bind(fn, fn.driver)
}

// Bind gives a card or function to a driver, such as vfio-pci, and to none if that is empty. Its network device goes if it
// had one, and comes if the driver is the one it had at first, as it does when the machine is switched off and on.
func (m *Machine) Bind(place host.PCI, driver string) error {
	defer m.lock().Unlock()
	fn := m.places[place]
	if fn == nil {
		return missing("PCI device %s", place)
	}
	if fn.Link != "" && fn.Driver != driver {
		l := m.links[fn.Link]
		if err := m.delLink(l.Name, l.Kind, l.MAC); err != nil {
			return err
		}
		fn.Link = ""
	}
	m.bind(fn, driver)
	return nil
}

func (m *Machine) bind(fn *function, driver string) {
	fn.Driver = driver
	if driver != fn.driver || fn.Link != "" {
		return
	}
	fn.Link = fn.name
	m.links[fn.name] = newFunctionLink(fn)
}

func newFunctionLink(fn *function) *link {
	l := newLink(host.Link{Name: fn.name, MAC: fn.mac, MTU: 1500, PCI: fn.PCI})
	l.Up = fn.PF == ""
	return l
}

// bootFunctions gives all functions to the drivers that they had at first.
func (m *Machine) bootFunctions(links map[string]*link) {
	for _, fn := range m.functions {
		fn.Driver, fn.Link = fn.driver, fn.name
		links[fn.name] = newFunctionLink(fn)
	}
}

// functionFacts returns the scope together with the links of the functions and macvtap devices that it asks for.
func (m *Machine) functionFacts(scope host.Scope, f *host.Facts) host.Scope {
	var more []string
	see := func(fn *function) {
		f.Functions = append(f.Functions, fn.Function)
		if fn.Link != "" {
			more = append(more, fn.Link)
		}
	}
	for _, place := range slices.Compact(slices.SortedFunc(slices.Values(scope.PCI), comparePlaces)) {
		if fn := m.places[place]; fn != nil && (fn.PF == "" || !slices.Contains(scope.Functions, fn.PF)) {
			see(fn)
		}
	}
	if len(scope.Functions) > 0 {
		for _, fn := range m.functions {
			if fn.PF != "" && slices.Contains(scope.Functions, fn.PF) {
				see(fn)
			}
		}
	}
	if scope.Macvtaps {
		more = slices.AppendSeq(more, maps.Keys(m.macvtaps))
	}
	return scope.And(host.Scope{Links: more})
}

func comparePlaces(a, b host.PCI) int { return strings.Compare(a.String(), b.String()) }

// AddMacvtap puts a macvtap device on another one, as somebody else would do it: ip link add NAME link LOWER type macvtap
// mode MODE. The modes are those of the kernel.
func (m *Machine) AddMacvtap(name, lower, mode string) error {
	if err := host.CheckName(name); err != nil {
		return err
	}
	if !slices.Contains([]string{"private", "vepa", "bridge", "passthru", "source"}, mode) {
		return refused("macvtap %s: mode %q", name, mode)
	}
	defer m.lock().Unlock()
	below, err := m.below(name, lower, mode)
	if err != nil {
		return err
	}
	n := len(m.links)
	mac := host.MAC{0: 2, 1: 2, 4: byte(n >> 8), 5: byte(n)}
	return m.addLink(newLink(host.Link{Name: name, Kind: host.Macvtap, MAC: mac, MTU: below.MTU, Lower: lower, Mode: mode}))
}
