// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"fmt"
	"io"

	"github.com/go-virtnet/virtnet/network/schema"
)

// Complete returns a copy of i with what is made up when an interface is defined: a MAC address that starts with
// 52:54:00 where there is none, and the identities in a <virtualport> that its kind of switch needs. What i has is kept. On
// a network the identities wait until the network was asked; see [EarlyIdentity]. The error is one of random, of which
// up to 35 bytes are read.
func (i *Interface) Complete(random io.Reader) (*Interface, error) {
	return i.CompleteAs(random, schema.Rules{})
}

// CompleteAs is [Interface.Complete] by the rules chosen. With Compat a profile on a network gets identities too, and one
// without a kind gets both, because its network decides.
func (i *Interface) CompleteAs(random io.Reader, rules schema.Rules) (*Interface, error) {
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
	switch kind := c.Kind(); kind {
	case Network, Bridge, Direct, Hostdev:
		if kind == Network && !rules.Skips(EarlyIdentity) {
			break
		}
		if _, err := c.VirtualPort.Generate(random); err != nil {
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
