// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A portTable is the ports of one host, those of all networks and those of none, and what they hold: devices of the host
// and guaranteed bandwidth. Everything that is counted follows from the ports, so that a table made of the same ports says
// the same. It stores nothing and looks at nothing, and is not for several goroutines at once.
//
// What it needs of a record are the name of the network, the document of the port, and the device that was chosen with its
// name and place as they were then: a device that is passed through has no name any more.
type portTable struct {
	rules    schema.Rules
	ports    map[portKey]*portEntry
	networks map[string]*portNetwork
	// holdings are the devices that ports hold, by what identifies them.
	holdings map[hostdev.Device]*holding
	// places are where devices are on the PCI bus, by their names.
	places map[string]hostdev.Key
	// leaving are the classes that the host still has for ports on networks that they are moved away from, by what they were there.
	leaving map[portKey]uint64
	serial  int
}

// A portKey names a port. The network is empty for a port of none.
type portKey struct {
	network string
	id      schema.UUID
}

// A portEntry is one port of a table. The document does not change.
type portEntry struct {
	portKey
	port *Port
	// device is what was chosen for it on the host; zero if it has none.
	device hostdev.Device
	// class is the traffic class for its floor on its network; 0 if it has none.
	class uint64
	// serial tells which port came first.
	serial int
	// broken is why it could not be taken back; nil if all is well.
	broken error
}

// A portNetwork is what a table knows of one network.
type portNetwork struct {
	ports  int
	floors floors
	// pool is what the network hands out, by what identifies the devices; nil before it was offered anything.
	pool *hostdev.Pool
	// source is what the pool was made of.
	source poolSource
	// offers are its devices as they were offered, by what identifies them.
	offers map[hostdev.Device]offer
}

// newPortTable returns a table without ports. The rules say what it does as libvirt does it.
func newPortTable(rules schema.Rules) *portTable {
	return &portTable{
		rules: rules, ports: map[portKey]*portEntry{}, networks: map[string]*portNetwork{},
		holdings: map[hostdev.Device]*holding{}, places: map[string]hostdev.Key{}, leaving: map[portKey]uint64{},
	}
}

func (t *portTable) network(name string) *portNetwork {
	if t.networks[name] == nil {
		t.networks[name] = &portNetwork{}
	}
	return t.networks[name]
}

// restore enters a port as its record has it, whatever is to be said against it: its guest runs. A zero device is the one
// of the plug. Broken is why the port could not be taken back, nil if nothing is the matter; a broken port counts all the
// same, except where BrokenCounts is left out.
func (t *portTable) restore(network string, p *Port, device hostdev.Device, broken error) {
	if device.IsZero() {
		device = p.Plug.device()
	}
	e := &portEntry{portKey: portKey{network, p.UUID}, port: p.Clone(), device: device, class: p.class(), broken: broken}
	if broken != nil && t.rules.Skips(BrokenCounts) {
		e.device, e.class = hostdev.Device{}, 0
	}
	t.remove(t.ports[e.portKey])
	t.add(e)
}

// release takes a port out of the table: RL-1 to RL-3. It goes by what the port holds, not by what its network has now. An
// unknown port wraps fs.ErrNotExist.
func (t *portTable) release(network string, id schema.UUID) error {
	e, err := t.entry(network, id)
	if err != nil {
		return err
	}
	if n := t.networks[network]; t.rules.Skips(ReleaseRecorded) && network != "" && !e.device.IsZero() {
		if n.pool != nil && !n.pool.Has(t.identify(e.device)) {
			return fail(fs.ErrNotExist, "/networkport/plug: %s is no device of network %q", e.device, network)
		}
	}
	t.remove(e)
	return nil
}

// lookup returns the document of a port, which is the caller's, the device it holds, and why it is broken, if it is.
func (t *portTable) lookup(network string, id schema.UUID) (p *Port, device hostdev.Device, broken, err error) {
	e, err := t.entry(network, id)
	if err != nil {
		return nil, hostdev.Device{}, nil, err
	}
	return e.port.Clone(), e.device, e.broken, nil
}

func (t *portTable) entry(network string, id schema.UUID) (*portEntry, error) {
	if e := t.ports[portKey{network, id}]; e != nil {
		return e, nil
	}
	return nil, fail(fs.ErrNotExist, "network %q has no port %s", network, id)
}

// add enters a port and all that it holds.
func (t *portTable) add(e *portEntry) {
	if e.serial == 0 {
		t.serial++
		e.serial = t.serial
	}
	t.ports[e.portKey] = e
	n := t.network(e.network)
	n.ports++
	if e.class != 0 {
		n.floors.add(e.class, e.port.floor())
	}
	if !e.device.IsZero() {
		t.hold(e)
	}
}

// remove is the inverse of add. It does nothing for nil.
func (t *portTable) remove(e *portEntry) {
	if e == nil {
		return
	}
	delete(t.ports, e.portKey)
	n := t.network(e.network)
	n.ports--
	if e.class != 0 {
		n.floors.remove(e.class, e.port.floor())
	}
	if !e.device.IsZero() {
		t.giveUp(e)
	}
}

// String says which port it is, for people.
func (e *portEntry) String() string {
	s := "port " + e.id.String()
	if o := e.port.Owner; o != nil && o.Name != "" {
		s += fmt.Sprintf(" of guest %q", o.Name)
	}
	if e.network == "" {
		return s + " without a network"
	}
	return s + fmt.Sprintf(" on network %q", e.network)
}

// floor is the bandwidth that is guaranteed to the port, in kB/s; 0 is none.
func (p *Port) floor() uint64 {
	if p.Bandwidth == nil || p.Bandwidth.Inbound == nil {
		return 0
	}
	return p.Bandwidth.Inbound.Floor.Uint()
}

// device is what the plug names of the host, besides bridges.
func (p *Plug) device() hostdev.Device {
	switch {
	case p == nil:
	case p.Type == PlugDirect:
		return hostdev.Device{Name: p.Dev.String()}
	case p.Type == PlugHostdevPCI && p.Address != nil:
		return hostdev.Device{PCI: p.Address.Key()}
	}
	return hostdev.Device{}
}
