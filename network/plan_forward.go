// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// planForwarding makes the host a router for the families of the network, if it leads anywhere or a port of the host leads
// into it.
func planForwarding(n *Network, f *host.Facts) (host.Plan, error) {
	routed := func(family Family) bool {
		return n.Mode() != ForwardNone && n.hasFamily(family) || n.portForwardsTo(family)
	}
	var plan host.Plan
	if routed(IPv4) {
		plan = append(plan, host.Step{From: "/network/forward", Op: host.EnableForwarding{}})
	}
	if routed(IPv6) {
		if blocked := f.Forwarding.Blocked; len(blocked) > 0 && !f.Forwarding.IPv6 {
			return nil, fail(errors.ErrUnsupported,
				"/network/forward: forwarding IPv6 would cost the host the routes it learns from router advertisements on %s; set accept_ra to 2 there",
				strings.Join(blocked, ", "))
		}
		plan = append(plan, host.Step{From: "/network/forward", Op: host.EnableForwarding{IPv6: true}})
	}
	return plan, nil
}
