// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/qos"
)

// planShape limits what the bridge of a network carries between its guests and the rest of the world: a <bandwidth> of
// the network. Frames from guest to guest pass neither direction.
func planShape(n *Network, f *host.Facts) (host.Plan, error) {
	if n.Bandwidth == nil || n.Bridge == nil {
		return nil, nil
	}
	const from = "/network/bandwidth"
	if s := f.Shape(n.Bridge.Name); !s.IsZero() {
		return nil, fail(fs.ErrExist, "%s: the host shapes the link already: %s", from, s)
	}
	return PlanShape(n.Bandwidth, from, n.Bridge.Name, false, f.Shaping)
}

// PlanShape limits the traffic of one link as b says, by the best that the host can do; from is where b stands. The
// directions of b are the guest's: what a bridge or the host's end of a guest's device sends is inbound. Own is for a
// device that is the guest's itself, such as a macvtap, where it is the other way round. Nothing to limit is an empty plan;
// a floor does not limit. A host that cannot do it wraps errors.ErrUnsupported.
func PlanShape(b *qos.Bandwidth, from, link string, own bool, can host.Shaping) (host.Plan, error) {
	if b == nil {
		return nil, nil
	}
	sent, received := b.Inbound, b.Outbound
	if own {
		sent, received = received, sent
	}
	s := host.Shape{Link: link, Egress: limit(sent)}
	if l := limit(received); !l.IsZero() {
		if len(can.Means) == 0 {
			return nil, fail(errors.ErrUnsupported, "%s: the kernel of the host can shape nothing that %s receives", from, link)
		}
		s.Ingress, s.Means = l, can.Means[0]
		switch s.Means {
		case host.Police:
			s.Ingress = policed(received)
		case host.Throttle:
			if s.Ingress = throttled(received); l.Rate > host.MaxThrottle {
				return nil, fail(errors.ErrUnsupported, "%s: the kernel of the host can hold what %s receives to %d kB/s at most", from, link, host.MaxThrottle)
			}
		}
	}
	if s.IsZero() {
		return nil, nil
	}
	s.BPF = can.NoU32 && (s.Means == host.Redirect || s.Means == host.Police)
	if !s.Egress.IsZero() || s.Means == host.Redirect {
		if len(can.Queues) == 0 {
			return nil, fail(errors.ErrUnsupported, "%s: the kernel of the host can shape nothing", from)
		}
		s.Queue = can.Queues[0]
	}
	return host.Plan{{From: from, Op: host.SetShape{Link: link, Shape: s}}}, nil
}

// OVSLimits are what Open vSwitch may send by the port of a guest and what it may receive, as b says. It knows no peak of
// what it receives, and guarantees nothing.
func OVSLimits(b *qos.Bandwidth) (egress, ingress host.Limit) {
	if b == nil {
		return egress, ingress
	}
	if b.Outbound != nil {
		ingress = policed(b.Outbound)
	}
	return limit(b.Inbound), ingress
}

// limit is what a direction may carry; nil may carry anything.
func limit(r *qos.Rate) host.Limit {
	if r == nil {
		return host.Limit{}
	}
	return host.NewLimit(r.Average.Uint(), r.Peak.Uint(), r.Burst.Uint())
}

// policed is limit where nothing can wait: without a burst of its own it needs a large one, and there is no peak. What
// guests send comes in packets of up to 64 KiB, and none that is larger than the burst ever passes.
func policed(r *qos.Rate) host.Limit {
	burst := r.Burst.Uint()
	if burst == 0 {
		burst = r.Average.Uint()
	}
	return host.NewLimit(r.Average.Uint(), 0, max(burst, 64))
}

// throttled is policed where what a second brings always passes.
func throttled(r *qos.Rate) host.Limit {
	l := policed(r)
	return host.NewLimit(l.Rate, 0, max(l.Burst, (l.Rate*1000+1023)/1024))
}

// planFloor guarantees a port what its document says, in the class that it was given on the bridge of its network.
func planFloor(p *Port, can host.Shaping) (host.Plan, error) {
	const from = "/networkport/bandwidth/inbound/@floor"
	if !p.hasFloor() {
		return nil, nil
	}
	id := p.Bandwidth.ClassID.Uint()
	if id > 1<<16-1 {
		return nil, fmt.Errorf("/networkport/bandwidth/@classID: %d is more than the kernel can number: %w", id, fs.ErrInvalid)
	}
	if p.MAC == nil || p.Plug == nil || !p.Plug.Bridge.Given() {
		return nil, fmt.Errorf("%s: the port has no address or no bridge: %w", from, fs.ErrInvalid)
	}
	return host.Plan{{From: from, Op: host.AddClass{
		Link: p.Plug.Bridge.String(), ID: uint16(id), MAC: host.MAC(p.MAC.Address), Rate: p.Bandwidth.Inbound.Floor.Uint(), BPF: can.NoU32,
	}}}, nil
}

// hasFloor reports whether a port has a class in which it is guaranteed something.
func (p *Port) hasFloor() bool {
	return p.Bandwidth != nil && p.Bandwidth.Inbound != nil && p.Bandwidth.Inbound.Floor.Uint() != 0 && p.Bandwidth.ClassID.Uint() != 0
}
