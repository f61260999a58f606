// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"context"
	"errors"

	"github.com/go-virtnet/virtnet/network"
)

// Detach takes the port and its device away. Detaching a port that is gone wraps fs.ErrNotExist. It is not ended by ctx
// once it has begun.
func (p *Port) Detach(ctx context.Context) error {
	return p.nets.DeletePort(ctx, p.Network, p.ID)
}

// DetachAll takes several ports away, each as [Port.Detach] does, and returns when nothing of them is left: the interfaces of a
// guest that has ended, or of many. It takes a fraction of the time; see [network.Manager.DeletePorts], also for the error.
func DetachAll(ctx context.Context, ports ...*Port) error {
	var nets []*network.Manager
	names := map[*network.Manager][]network.PortName{}
	for _, p := range ports {
		if names[p.nets] == nil {
			nets = append(nets, p.nets)
		}
		names[p.nets] = append(names[p.nets], network.PortName{Network: p.Network, ID: p.ID})
	}
	var errs []error
	for _, m := range nets {
		errs = append(errs, m.DeletePorts(ctx, names[m]...))
	}
	return errors.Join(errs...)
}
