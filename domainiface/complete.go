// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"fmt"
	"io"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// Complete returns a copy of i with what libvirt makes up when it defines an interface: a MAC address that
// starts with 52:54:00 where there is none, and the identities in a <virtualport> that its kind of switch needs.
// A profile without a kind gets both of them, because its network decides. What i has is kept. The error is one
// of random, of which up to 35 bytes are read.
func (i *Interface) Complete(random io.Reader) (*Interface, error) {
	c := i.Clone()
	if c.MAC == nil {
		c.MAC = new(MAC)
	}
	if c.MAC.Address.IsZero() {
		address, err := NewMAC(random)
		if err != nil {
			return nil, err
		}
		c.MAC.Address = address
	}
	switch c.Kind() {
	case Network, Bridge, Direct, Hostdev:
		if err := completeIDs(c.VirtualPort, random); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// NewMAC returns a MAC address that starts with 52:54:00 and goes on with three bytes of random.
func NewMAC(random io.Reader) (schema.MAC, error) {
	m := schema.MAC{0x52, 0x54, 0x00}
	if _, err := io.ReadFull(random, m[3:]); err != nil {
		return schema.MAC{}, fmt.Errorf("make a MAC address: %w", err)
	}
	return m, nil
}

// completeIDs makes up the identities that are missing in v.
func completeIDs(v *virtualport.VirtualPort, random io.Reader) error {
	if v == nil {
		return nil
	}
	p := v.Parameters
	if p == nil {
		p = new(virtualport.Parameters)
	}
	for _, id := range []struct {
		to   *schema.UUID
		only virtualport.Type
	}{{&p.InstanceID, virtualport.Qbg}, {&p.InterfaceID, virtualport.OpenVSwitch}} {
		if !id.to.IsZero() || v.Type != 0 && v.Type != id.only {
			continue
		}
		made, err := schema.NewUUID(random)
		if err != nil {
			return fmt.Errorf("make an identity for a switch: %w", err)
		}
		*id.to = made
		v.Parameters = p
	}
	return nil
}
