// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// replanPort is what has to be done so that a guest's device stands as the next plan has it, where it stands as the old
// one has it. The device itself stays: a plan with another one wraps errors.ErrUnsupported.
func replanPort(was, next host.Plan) (host.Plan, error) {
	r := replan{was: was, next: next}
	var changes []Change
	for _, step := range slices.Backward(was) {
		if c, ok := r.vanishes(step); ok {
			changes = append(changes, c)
		}
	}
	for _, step := range next {
		if c, ok := r.becomes(step); ok {
			changes = append(changes, c)
		}
	}
	for _, c := range changes {
		switch c.Op.(type) {
		case host.AddTap, host.AddVeth, host.AddMacvtap, host.AddMacvlan, host.DelTap, host.DelVeth, host.DelMacvtap, host.DelMacvlan, host.SetDriver:
			return nil, fail(errors.ErrUnsupported, "%s: the device of the guest cannot be another one while it is attached", c.From)
		}
	}
	return planOf(changes), nil
}
