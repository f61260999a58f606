// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Batcher = (*Machine)(nil)

// DoAll carries out operations one after the other, and takes all back if one of them fails; see [host.Batcher].
func (m *Machine) DoAll(ctx context.Context, ops []host.Op) error {
	err := host.Apply(ctx, m, planOf(ops))
	var step *host.StepError
	if errors.As(err, &step) {
		return errors.Join(step.Err, step.Undo)
	}
	return err
}
