// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-virtnet/virtnet/network/host"
)

// The drivers that the machine has for its network cards, and for their virtual functions.
const (
	CardDriver     = "igb"
	FunctionDriver = "igbvf"
)

// A function is a network card on the PCI bus, or a virtual function of one. It stays when the machine is switched off.
// The MAC of its VF is what somebody told the card; without that, the network device makes up one each time.
type function struct {
	host.Function
	// name is that of its network device, which is there as long as driver has the function, and born how often it was made.
	name   string
	born   byte
	driver string
	// number is that of the function among all of the machine.
	number int
}

// mac is the address of a network device that is made now.
func (fn *function) mac() host.MAC {
	if !fn.VF.MAC.IsZero() {
		return fn.VF.MAC
	}
	return host.MAC{0: 2, 1: 1, 2: fn.born, 3: byte(fn.number >> 16), 4: byte(fn.number >> 8), 5: byte(fn.number)}
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

// putFunction puts a function with its own driver and a new network device into the machine. It is alone in its IOMMU group.
func (m *Machine) putFunction(fn *function, name string) {
	fn.name, fn.number = name, len(m.functions)
	fn.Group = strconv.Itoa(fn.number)
	m.functions = append(m.functions, fn)
	if m.places == nil {
		m.places = map[host.PCI]*function{}
	}
	m.places[fn.PCI] = fn
	fn.begin()
	m.bind(fn, fn.driver)
}

// begin makes a function as it is at first.
func (fn *function) begin() {
	fn.Generation++
	fn.born, fn.Link, fn.Override, fn.VF = 0, "", "", host.VF{}
	if fn.PF != "" {
		fn.VF = host.VF{Trust: host.Off, SpoofCheck: host.On}
	}
}

// RemakeFunctions has the virtual functions of a card vanish and come again, as they do when somebody writes their number
// anew: echo N >sriov_numvfs. Whatever was set for them is gone.
func (m *Machine) RemakeFunctions(pf string) error {
	defer m.lock().Unlock()
	for _, fn := range m.functions {
		if fn.PF != pf {
			continue
		}
		if err := m.unbind(fn); err != nil {
			return err
		}
		fn.begin()
		m.bind(fn, fn.driver)
	}
	return nil
}

// JoinGroup puts devices into one IOMMU group, that of the first.
func (m *Machine) JoinGroup(places ...host.PCI) error {
	defer m.lock().Unlock()
	group := ""
	for _, place := range places {
		fn := m.places[place]
		if fn == nil {
			return missing("PCI device %s", place)
		}
		if group == "" {
			group = fn.Group
		}
		fn.Group = group
	}
	return nil
}

// Bind gives a card or function to a driver, such as vfio-pci, and to none if that is empty. Its network device goes if it
// had one, and comes if the driver is the one it had at first, as it does when the machine is switched off and on.
func (m *Machine) Bind(place host.PCI, driver string) error {
	defer m.lock().Unlock()
	fn := m.places[place]
	if fn == nil {
		return missing("PCI device %s", place)
	}
	if fn.Driver == driver {
		return nil
	}
	if err := m.unbind(fn); err != nil {
		return err
	}
	m.bind(fn, driver)
	return nil
}

// unbind takes a function from its driver, with its network device.
func (m *Machine) unbind(fn *function) error {
	if l := m.links[fn.Link]; l != nil {
		if err := m.delLink(l.Name, l.Kind, l.MAC); err != nil {
			return err
		}
	}
	fn.Driver, fn.Link, fn.Node, fn.Fixed = "", "", "", false
	return nil
}

func (m *Machine) bind(fn *function, driver string) {
	fn.Driver = driver
	if host.PassesThrough(driver) {
		fn.Node = "vfio" + strconv.Itoa(fn.number)
	}
	if driver == fn.driver {
		fn.Link = fn.name
		m.links[fn.name] = fn.newLink()
	}
}

func (fn *function) newLink() *link {
	l := newLink(host.Link{Name: fn.name, MAC: fn.mac(), MTU: 1500, PCI: fn.PCI})
	l.Up = fn.PF == ""
	fn.Fixed = !fn.VF.MAC.IsZero()
	fn.born++
	return l
}

// bootFunctions gives all functions to the drivers that they had at first.
func (m *Machine) bootFunctions(links map[string]*link) {
	for _, fn := range m.functions {
		fn.begin()
		fn.Driver, fn.Link, fn.Node = fn.driver, fn.name, ""
		links[fn.name] = fn.newLink()
	}
}

// functionFacts returns the scope together with the links of the functions and macvtap devices that it asks for.
func (m *Machine) functionFacts(scope host.Scope, f *host.Facts) host.Scope {
	var more []string
	for _, fn := range m.functions {
		named := slices.Contains(scope.VFs, fn.PCI)
		if !named && !slices.Contains(scope.PCI, fn.PCI) && (fn.PF == "" || !slices.Contains(scope.Functions, fn.PF)) {
			continue
		}
		f.Functions = append(f.Functions, m.functionFact(fn, named && fn.PF != ""))
		if fn.Link != "" {
			more = append(more, fn.Link)
		}
		if named && fn.PF != "" {
			more = append(more, fn.PF)
		}
	}
	if scope.Macvtaps {
		more = slices.AppendSeq(more, maps.Keys(m.macvtaps))
	}
	return scope.And(host.Scope{Links: more})
}

// functionFact is what is seen of a function, with what its card does for it or without.
func (m *Machine) functionFact(fn *function, settings bool) host.Function {
	seen := fn.Function
	for _, other := range m.functions {
		if other != fn && other.Group == fn.Group {
			seen.Siblings = append(seen.Siblings, host.Sibling{PCI: other.PCI, Driver: other.Driver})
		}
	}
	if !settings {
		seen.VF, seen.Fixed = host.VF{}, false
	} else if l := m.links[fn.Link]; l != nil && fn.VF.MAC.IsZero() {
		seen.VF.MAC = l.MAC // the driver has told the card what it made up
	}
	return seen
}

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
	if m.links[name] != nil {
		return exists("link %s", name)
	}
	below, err := m.below(lower, mode, 0)
	if err != nil {
		return err
	}
	n := len(m.links)
	mac := host.MAC{0: 2, 1: 2, 4: byte(n >> 8), 5: byte(n)}
	return m.addLink(newLink(host.Link{Name: name, Kind: host.Macvtap, MAC: mac, MTU: below.MTU, Lower: lower, Mode: mode}))
}
