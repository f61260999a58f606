// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// AtServe has f called before each step of the start of a server, which fails with its error.
func (b *Backend) AtServe(f func(step string) error) { b.servers.at = f }

// ServeSteps are the steps of the start of a server.
var ServeSteps = []string{"files", "start", "wait", "record"}

// PlaceOf is where a link is that the kernel says this of.
func (b *Backend) PlaceOf(bus, parent string) (host.PCI, bool) {
	return b.placeOfLink(rtnl.Link{Bus: bus, Parent: parent})
}

// SetSysfs has the backend look for network cards in another folder than /sys.
func (b *Backend) SetSysfs(folder string) { b.sys = folder }
