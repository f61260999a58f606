// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/go-virtnet/virtnet/internal/lldp"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.SwitchWatcher = (*Backend)(nil)

// switches is what was heard of switches, by the network cards, and how many speak to them, by the numbers of the cards: they
// all say the same, and the last one says that it leaves.
type switches struct {
	mu       sync.Mutex
	heard    map[string]heardSwitch
	speakers map[int]int
	// probed is what was found out by trying, by links that were tried.
	probed map[string]heardSwitch
}

// speak counts one who begins to speak, or with -1 one who ends, and returns how many there are.
func (s *switches) speak(card int, more int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.speakers == nil {
		s.speakers = map[int]int{}
	}
	s.speakers[card] += more
	return s.speakers[card]
}

// A heardSwitch is what one switch has said, to a link of that number.
type heardSwitch struct {
	host.Switch
	index int
	until time.Time
}

// WatchSwitch listens on a network card, by a packet socket of the kernel; see [host.SwitchWatcher].
func (b *Backend) WatchSwitch(ctx context.Context, link string) iter.Seq2[host.Switch, error] {
	return b.listen(ctx, link, false)
}

// Station speaks as well; see [host.SwitchWatcher].
func (b *Backend) Station(ctx context.Context, link string) iter.Seq2[host.Switch, error] {
	return b.listen(ctx, link, true)
}

func (b *Backend) listen(ctx context.Context, link string, speaks bool) iter.Seq2[host.Switch, error] {
	return func(yield func(host.Switch, error) bool) {
		if ctx.Err() != nil {
			return
		}
		if speaks {
			if err := b.refuseTwoAgents(ctx, link); err != nil {
				yield(host.Switch{}, err)
				return
			}
		}
		l, err := b.newListener(link, speaks)
		if err != nil {
			yield(host.Switch{}, err)
			return
		}
		defer l.close()
		for {
			changed, err := l.listen(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				yield(host.Switch{}, err)
				return
			case changed && !yield(l.said, nil):
				return
			}
		}
	}
}

// refuseTwoAgents is an error if lldpad is the station at a link.
func (b *Backend) refuseTwoAgents(ctx context.Context, link string) error {
	l, err := b.rt.Link(link)
	if err != nil {
		return err
	}
	card, err := b.cardBelow(l)
	if err != nil {
		return err
	}
	if speaks, err := b.agentSpeaks(ctx, card); err != nil || !speaks {
		return err
	}
	return fmt.Errorf("station at %s: %w", link, errTwoAgents)
}

// switchFacts are what was heard and still holds.
func (b *Backend) switchFacts(scope host.Scope, f *host.Facts) error {
	if len(scope.Switches) == 0 || b.switches.silent() {
		return nil
	}
	links, err := b.links(host.Scope{Links: scope.Switches})
	if err != nil {
		return err
	}
	for _, l := range links {
		card, err := b.cardBelow(l)
		if err != nil {
			return err
		}
		heard, ok := b.switches.at(card)
		if found, tried := b.switches.found(l); tried && heard.Relay == host.RelayUnknown {
			heard.Relay, ok = found, true
		}
		if ok {
			heard.Link = l.Name
			f.Switches = append(f.Switches, heard)
		}
	}
	return nil
}

// cardBelow is the card that a VLAN device stands on; of anything else the link itself.
func (b *Backend) cardBelow(l rtnl.Link) (rtnl.Link, error) {
	for l.VLAN != 0 && l.Lower != 0 {
		names, err := b.rt.LinkNames(l.Lower)
		if err != nil {
			return l, err
		}
		if l, err = b.rt.Link(names[l.Lower]); err != nil {
			return l, err
		}
	}
	return l, nil
}

// silent reports whether nothing was ever heard or tried.
func (s *switches) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.heard)+len(s.probed) == 0
}

// at is what was heard at a card, if it still holds.
func (s *switches) at(card rtnl.Link) (host.Switch, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard[card.Name].at(card)
}

// at is what holds of a card.
func (h heardSwitch) at(card rtnl.Link) (host.Switch, bool) {
	if h.index != card.Index || !time.Now().Before(h.until) {
		return host.Switch{}, false
	}
	return h.Switch, true
}

func (s *switches) remember(card string, h heardSwitch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard == nil {
		s.heard = map[string]heardSwitch{}
	}
	s.heard[card] = h
}

// A listener is one who listens on a card.
type listener struct {
	backend *Backend
	frames  *frames
	// said is what the switch has said to the group of addresses, and holds until then.
	said  host.Switch
	evb   *lldp.EVB
	group [6]byte
	until time.Time
	// station is nil if he only listens.
	station *station
}

func (b *Backend) newListener(link string, speaks bool) (*listener, error) {
	if err := host.CheckName(link); err != nil {
		return nil, err
	}
	l, err := b.rt.Link(link)
	if err != nil {
		return nil, err
	}
	if !l.Ethernet {
		return nil, fmt.Errorf("link %s has no Ethernet: %w", link, errors.ErrUnsupported)
	}
	if l, err = b.cardBelow(l); err != nil {
		return nil, err
	}
	socket, err := b.openFrames(l, lldp.EtherType, lldp.NearestCustomerBridge, lldp.NearestBridge)
	if err != nil {
		return nil, err
	}
	n := &listener{backend: b, frames: socket, said: host.Switch{Link: link}}
	if speaks {
		n.station = &station{frames: socket}
		b.switches.speak(l.Index, 1)
	}
	return n, nil
}

// close tells the switch that there is no station any more, unless another one goes on.
func (l *listener) close() {
	if s := l.station; s != nil && l.mute() == 0 {
		s.leave()
	}
	_ = l.frames.close()
}

// mute ends the station without a word to the switch. It returns how many others there are.
func (l *listener) mute() int {
	l.station = nil
	return l.backend.switches.speak(l.frames.link.Index, -1)
}

// listen waits for the next frame, or the time when something is to be done. Changed is whether the switch has said
// something else than before.
func (l *listener) listen(ctx context.Context) (changed bool, err error) {
	deadline := l.until
	if l.station != nil {
		if err := l.station.speak(l.evb); err != nil {
			return false, err
		}
		if deadline.IsZero() || l.station.next.Before(deadline) {
			deadline = l.station.next
		}
	}
	to, _, payload, err := l.frames.receive(ctx, deadline)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return l.expire(), nil
	case err != nil:
		return false, err
	}
	unit, err := lldp.Parse(payload)
	if err != nil {
		return false, nil // of whoever is there
	}
	return l.take(to, unit), nil
}

// expire forgets what holds no longer.
func (l *listener) expire() bool {
	if l.until.IsZero() || time.Now().Before(l.until) {
		return false
	}
	return l.forget()
}

func (l *listener) forget() bool {
	known := l.said != host.Switch{Link: l.said.Link}
	l.said, l.evb, l.until = host.Switch{Link: l.said.Link}, nil, time.Time{}
	l.remember()
	return known
}

func (l *listener) remember() {
	l.backend.switches.remember(l.frames.link.Name, heardSwitch{Switch: l.said, index: l.frames.link.Index, until: l.until})
}

// take takes in what was said to a group. Who says nothing of edge virtual bridging is heard only where nobody else does:
// switches speak to two groups, and of that only to one.
func (l *listener) take(to [6]byte, u lldp.Unit) (changed bool) {
	is, about := switchOf(l.said.Link, u)
	switch {
	case u.EVB != nil && u.EVB.Role == lldp.Station:
		return false
	case !about && to != l.group && l.until.After(time.Now()):
		return false
	case u.TTL == 0:
		return to == l.group && is.Chassis == l.said.Chassis && l.forget()
	}
	changed = is != l.said
	l.said, l.evb, l.group = is, u.EVB, to
	l.until = time.Now().Add(time.Duration(u.TTL) * time.Second)
	l.remember()
	if l.station != nil {
		l.station.draft = u.Draft != nil && u.EVB == nil
	}
	return changed
}

// switchOf reads what a switch says. About is whether it is about edge virtual bridging.
func switchOf(link string, u lldp.Unit) (s host.Switch, about bool) {
	s = host.Switch{Link: link, Chassis: u.Chassis.String(), Port: u.Port.String()}
	relay := func(works, possible bool) host.Relay {
		switch {
		case works:
			return host.RelayYes
		case possible:
			return host.RelayPossible
		}
		return host.RelayNo
	}
	switch {
	case u.EVB != nil && u.EVB.Role == lldp.Bridge:
		s.Relay, s.VDP = relay(u.EVB.RelayActive, u.EVB.RelayCapable), true
	case u.Draft != nil:
		s.Relay, s.VDP, s.Draft = relay(u.Draft.Configured.Relay, u.Draft.Supported.Relay), u.Draft.Supported.VDP, true
	default:
		return s, false
	}
	return s, true
}
