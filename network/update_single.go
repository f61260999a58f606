// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
)

// single changes what a network has one of, and its addresses: the sections that libvirt cannot change.
func (e *edit) single() error {
	if e.skips(UpdateSection) {
		return e.refuse(errors.ErrUnsupported, "update-command", "", "libvirt cannot change the section %s of a network, by no command", e.Section)
	}
	switch e.Section {
	case SectionBridge:
		return e.bridge()
	case SectionDomain:
		return one(e, &e.n.Domain, "/network")
	case SectionForward:
		return one(e, &e.n.Forward, "/network")
	case SectionForwardPF:
		if e.n.Forward == nil {
			return e.refuse(fs.ErrNotExist, "update-missing", "", "the network has no <forward> that could have devices")
		}
		return one(e, &e.n.Forward.PF, "/network/forward")
	}
	return e.ip()
}

// one changes an element of which there is one at most.
func one[T any](e *edit, at **T, parent string) error {
	v := new(T)
	if err := e.read(v); err != nil {
		return err
	}
	e.path = parent + "/" + e.root()
	switch {
	case e.Command.adds() && *at != nil:
		return e.refuse(fs.ErrExist, "update-exists", "", "the network has %s already", e.path)
	case !e.Command.adds() && *at == nil:
		return e.refuse(fs.ErrNotExist, "update-missing", "", "the network has no %s", e.path)
	case e.Command.adds(), e.Command == CommandModify:
		*at = v
		return nil
	case e.Command == CommandDelete:
		*at, e.path = nil, ""
		return nil
	}
	return e.unsupported("modify, delete, add-last or add-first")
}

// bridge replaces the settings of the bridge. A bridge without a name in the XML keeps the one that it has.
func (e *edit) bridge() error {
	var b Bridge
	if err := e.read(&b); err != nil {
		return err
	}
	if e.Command != CommandModify {
		return e.unsupported("modify")
	}
	if e.n.Bridge == nil {
		return e.refuse(fs.ErrNotExist, "update-missing", "", "the network has no /network/bridge")
	}
	if b.Name == "" {
		b.Name = e.n.Bridge.Name
	}
	e.n.Bridge, e.path = &b, "/network/bridge"
	return nil
}

// ip changes an <ip> with all that is in it. One that is there is known by its number or else by its address.
func (e *edit) ip() error {
	var p IP
	if err := e.read(&p); err != nil {
		return err
	}
	found := indexes(e.n.IPs, func(o *IP) bool { return p.Address.Given() && o.Address == p.Address })
	key := "address " + p.Address.String()
	switch {
	case e.IP > 0 && !e.Command.adds():
		key = fmt.Sprintf("number %d", e.IP)
		if found = nil; e.IP <= len(e.n.IPs) {
			found = []int{e.IP - 1}
		}
	case !p.Address.Given() && e.Command == CommandDelete:
		return e.refuse(fs.ErrInvalid, "update-key", "", "an address has to say which <ip> is meant")
	}
	return apply(e, &e.n.IPs, p, found, "/network", key)
}
