// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"os"

	"github.com/go-virtnet/virtnet/network/host"
)

func (m *Machine) addTap(o host.AddTap) error {
	l := newLink(host.Link{Name: o.Link, Kind: host.Tap, MAC: o.MAC, MTU: o.MTU, Owner: o.Owner})
	l.queues = max(o.Queues, 1)
	return m.addLink(l)
}

// OpenTap returns files that carry nothing: what is written to them vanishes, and there is nothing to read. See
// [host.TapOpener].
func (m *Machine) OpenTap(ctx context.Context, name string, queues int) ([]*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.checkTap(name, queues); err != nil {
		return nil, err
	}
	return nothings(queues)
}

// nothings are files that carry nothing.
func nothings(queues int) ([]*os.File, error) {
	var files []*os.File
	for range queues {
		file, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			for _, file := range files {
				err = errors.Join(err, file.Close())
			}
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func (m *Machine) checkTap(name string, queues int) error {
	defer m.lock().Unlock()
	l := m.links[name]
	if l == nil || l.Kind != host.Tap {
		return missing("tap %s", name)
	}
	if queues < 1 || queues > l.queues {
		return refused("tap %s: %d queues wanted of %d", name, queues, l.queues)
	}
	return nil
}
