// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import "github.com/go-virtnet/virtnet/network/host"

var _ host.OptionReader = (*Backend)(nil)

// ReadOptions tells which options of a server an engine will not follow; see [host.OptionReader]. dnsmasq, whose options they are,
// follows all of them or does not start.
func (b *Backend) ReadOptions(s host.Server) ([]*host.OptionWarning, error) {
	if engine, ok := b.config.Engine.(host.OptionReader); ok {
		return engine.ReadOptions(s)
	}
	return nil, nil
}
