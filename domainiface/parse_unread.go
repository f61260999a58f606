// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// unreadable reports whether err says that the value at the path cannot be read.
func unreadable(err error, path string) bool {
	var vs schema.Violations
	return errors.As(err, &vs) && slices.ContainsFunc(vs, func(v *schema.Violation) bool { return v.Path == path })
}

// dropUnread removes the violations of values that libvirt never looks at.
func (i *Interface) dropUnread(err error) error {
	var vs schema.Violations
	if !errors.As(err, &vs) {
		return err
	}
	unread := i.unread()
	kept := slices.DeleteFunc(vs, func(v *schema.Violation) bool {
		return slices.ContainsFunc(unread, func(path string) bool { return strings.HasPrefix(v.Path, path) })
	})
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// unread returns the beginnings of the paths that libvirt never looks at when it reads a definition: what is told
// of running guests only, what connects another type, and options of a driver for another model.
func (i *Interface) unread() []string {
	paths := []string{"/interface/@managed", "/interface/mac/@currentAddress", "/interface/source/@macTableManager", "/interface/actual"}
	kind := i.Kind()
	if kind != Direct && kind != VhostUser {
		paths = append(paths, "/interface/source/@mode")
	}
	if kind != VhostUser {
		paths = append(paths, "/interface/source/reconnect")
	}
	if kind != Hostdev {
		paths = append(paths, "/interface/source/@writeFiltering")
	}
	if kind == Hostdev || !i.Model.Virtio() {
		for _, attr := range []string{"txmode", "ioeventfd", "event_idx", "queues", "rx_queue_size", "tx_queue_size", "rss", "rss_hash_report"} {
			paths = append(paths, "/interface/driver/@"+attr)
		}
		paths = append(paths, "/interface/driver/host", "/interface/driver/guest")
		if kind != Hostdev {
			paths = append(paths, "/interface/driver/@name")
		}
	}
	return paths
}
