// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// complete returns the document with what it leaves open chosen: its uuid and, for a network of the host's own making,
// the name of its bridge and the hardware address. It asks name for the bridge only if the document names none.
func complete(n *Network, random io.Reader, name func(template string) (string, error)) (*Network, error) {
	n = n.Clone()
	var err error
	if n.UUID.IsZero() {
		if n.UUID, err = schema.NewUUID(random); err != nil {
			return nil, err
		}
	}
	if !n.Managed() {
		return n, nil
	}
	if n.Bridge == nil {
		n.Bridge = &Bridge{}
	}
	if n.Bridge.Name == "" || strings.Contains(n.Bridge.Name, "%d") {
		if n.Bridge.Name, err = name(bridgeTemplate(n.Bridge.Name)); err != nil {
			return nil, err
		}
	}
	if n.MAC == nil || n.MAC.Address.IsZero() {
		mac := schema.MAC{0x52, 0x54, 0x00}
		if _, err := io.ReadFull(random, mac[3:]); err != nil {
			return nil, err
		}
		n.MAC = &MAC{Address: mac}
	}
	return n, nil
}

// bridgeTemplate is the template of a bridge's name: the given one if it holds exactly one percent sign, that of %d.
func bridgeTemplate(given string) string {
	if strings.Count(given, "%") == 1 && strings.Contains(given, "%d") {
		return given
	}
	return "virbr%d"
}

// complete completes a document with what is free on the host and among the networks of the store.
func (m *Manager) complete(ctx context.Context, n *Network) (*Network, error) {
	return complete(n, m.config.Rand, func(template string) (string, error) {
		taken, err := m.bridges(ctx)
		if err != nil {
			return "", err
		}
		for i := range 257 {
			name := strings.Replace(template, "%d", fmt.Sprint(i), 1)
			if taken[name] != "" {
				continue
			}
			f, err := m.backend.Facts(ctx, host.Scope{Links: []string{name}})
			if err != nil {
				return "", err
			}
			if f.Link(name) == nil {
				return name, nil
			}
		}
		return "", fail(fs.ErrExist, "/network/bridge/@name: no name from %s to %s is free",
			strings.Replace(template, "%d", "0", 1), strings.Replace(template, "%d", "256", 1))
	})
}
