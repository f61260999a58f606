// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What the machine knows of names: its servers, and its neighbours.
const (
	defaultResolvers = "/etc/resolv.conf"
	defaultHosts     = "/etc/hosts"
)

// lookTime is how often the file is looked at.
const lookTime = time.Second

// A machine knows servers of names. Who they are may be changed while it is asked.
type machine struct {
	list atomic.Pointer[func() []netip.AddrPort]
}

// set says who tells the servers.
func (m *machine) set(list func() []netip.AddrPort) { m.list.Store(&list) }

func (m *machine) servers() []netip.AddrPort {
	if list := m.list.Load(); list != nil {
		return (*list)()
	}
	return nil
}

// A follower reads a file again when it has changed.
type follower struct {
	path string
	read func(data []byte)

	mu     sync.Mutex
	looked time.Time
	state  os.FileInfo
}

// follow reads the file if there is something new in it. It is called with the lock held.
func (f *follower) follow() {
	now := time.Now()
	if !f.looked.IsZero() && now.Sub(f.looked) < lookTime {
		return
	}
	f.looked = now
	info, err := os.Stat(f.path)
	if err == nil && f.state != nil && os.SameFile(info, f.state) && info.ModTime().Equal(f.state.ModTime()) && info.Size() == f.state.Size() {
		return
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return // what was said last counts, while the file is being written
	}
	f.state = info
	f.read(data)
}

// resolvers is who tells the servers that a file names, as it changes.
func resolvers(path string) func() []netip.AddrPort {
	var list []netip.AddrPort
	f := &follower{path: path, read: func(data []byte) { list = nameServers(data) }}
	return func() []netip.AddrPort {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.follow()
		return list
	}
}

// nameServers reads the lines "nameserver ADDRESS" of resolv.conf(5).
func nameServers(data []byte) (list []netip.AddrPort) {
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil {
			list = append(list, netip.AddrPortFrom(addr, dnsPort))
		}
	}
	return list
}

// machineNames are the names that the machine knows of its neighbours.
type machineNames struct {
	addrs   map[string][]netip.Addr
	reverse map[netip.Addr]string
}

// neighbours is who tells the names in a file, as it changes.
func neighbours(path string) func() *machineNames {
	names := &machineNames{}
	f := &follower{path: path, read: func(data []byte) { names = readHosts(data) }}
	return func() *machineNames {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.follow()
		return names
	}
}

// readHosts reads the lines "ADDRESS NAME..." of hosts(5).
func readHosts(data []byte) *machineNames {
	m := &machineNames{addrs: map[string][]netip.Addr{}, reverse: map[netip.Addr]string{}}
	for line := range bytes.Lines(data) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		fields := strings.Fields(string(line))
		if len(fields) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil || addr.Zone() != "" {
			continue
		}
		for _, name := range fields[1:] {
			name = canonical(name)
			m.addrs[name] = append(m.addrs[name], addr.Unmap())
		}
		if _, ok := m.reverse[addr.Unmap()]; !ok {
			m.reverse[addr.Unmap()] = canonical(fields[1])
		}
	}
	return m
}

// addrsOf are the addresses of a name. A name without a dot is known in the domain of a network as well.
func (m *machineNames) addrsOf(n *names, name string) ([]netip.Addr, bool) {
	if m == nil {
		return nil, false
	}
	list, ok := m.addrs[name]
	if label, in := strings.CutSuffix(name, "."+n.domain); !ok && in && n.domain != "" && !strings.Contains(label, ".") {
		list, ok = m.addrs[label+"."]
	}
	return list, ok
}

// nameOf is the name of an address.
func (m *machineNames) nameOf(addr netip.Addr) (string, bool) {
	if m == nil {
		return "", false
	}
	name, ok := m.reverse[addr]
	return name, ok
}
