// SPDX-License-Identifier: Apache-2.0

package linux

// AtServe has f called before each step of the start of a server, which fails with its error.
func (b *Backend) AtServe(f func(step string) error) { b.servers.at = f }

// ServeSteps are the steps of the start of a server.
var ServeSteps = []string{"files", "start", "wait", "record"}

// SetSysfs has the backend look for network cards in another folder than /sys.
func (b *Backend) SetSysfs(folder string) { b.sys = folder }
