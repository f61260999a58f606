// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/tc"
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

// SetKernel has the backend ask others than the kernel about virtual functions and drivers, and look for the devices of
// groups in another folder than /dev/vfio.
func (b *Backend) SetKernel(v vfs, k Bus, folder string) {
	b.vfs, b.bus, b.vfio = v, testBus{k}, folder
}

// A Bus does what the kernel does when something is written to a file of sysfs.
type Bus interface {
	Write(path, text string) error
	Load(driver string) error
}

type testBus struct{ Bus }

func (k testBus) write(path, text string) error               { return k.Write(path, text) }
func (k testBus) load(_ context.Context, driver string) error { return k.Load(driver) }

// QueueOf is the queue of a class.
func QueueOf(kind host.Queue, rate, ceil uint64) tc.Queue { return queueOf(kind, rate, ceil) }

// RunDir is runDir.
func (b *Backend) RunDir() string { return b.runDir() }

// ReapLate leaves what is discarded from now on to Settle, or to others if the program ends before.
func (b *Backend) ReapLate() { b.reaper.idle = true }
