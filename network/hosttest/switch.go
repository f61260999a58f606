// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"iter"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.SwitchWatcher = (*Machine)(nil)

// A wire is what is at the other ends of network cards, and who listens there.
type wire struct {
	// switches is what they say, by the cards, as long as nobody asks; stations counts those who do.
	switches map[string]host.Switch
	stations map[string]int
	// ears wake those who listen.
	ears map[chan struct{}]bool
}

// SetSwitch has the switch at the network card s.Link say that from now on, and be heard at once. One that could reflect does
// so while it is asked. Nothing but a link is a switch that says nothing, or none. It stays when the machine is switched off.
func (m *Machine) SetSwitch(s host.Switch) error {
	defer m.lock().Unlock()
	if _, err := m.link(s.Link); err != nil {
		return err
	}
	if m.wire.switches == nil {
		m.wire.switches = map[string]host.Switch{}
	}
	m.wire.switches[s.Link] = s
	return nil
}

// says is what the switch at a link says now.
func (m *Machine) says(link string) host.Switch {
	card := m.cardBelow(link)
	s := m.wire.switches[card]
	s.Link = link
	if s.Relay == host.RelayPossible && m.wire.stations[card] > 0 {
		s.Relay = host.RelayYes
	}
	return s
}

// cardBelow is the card that a VLAN device stands on; of anything else the link itself.
func (m *Machine) cardBelow(link string) string {
	for l := m.links[link]; l != nil && l.VLAN != 0; l = m.links[link] {
		link = l.Lower
	}
	return link
}

func (m *Machine) switchFacts(scope host.Scope, f *host.Facts) {
	told := map[string]bool{}
	for _, link := range scope.Switches {
		if s := m.says(link); !told[link] && m.links[link] != nil && s != (host.Switch{Link: link}) {
			f.Switches = append(f.Switches, s)
		}
		told[link] = true
	}
}

// WatchSwitch yields what was set by [Machine.SetSwitch]; see [host.SwitchWatcher].
func (m *Machine) WatchSwitch(ctx context.Context, link string) iter.Seq2[host.Switch, error] {
	return m.listen(ctx, link, 0)
}

// Station asks as well; see [host.SwitchWatcher].
func (m *Machine) Station(ctx context.Context, link string) iter.Seq2[host.Switch, error] {
	return m.listen(ctx, link, 1)
}

// listen counts as that many stations while it goes on.
func (m *Machine) listen(ctx context.Context, link string, stations int) iter.Seq2[host.Switch, error] {
	return func(yield func(host.Switch, error) bool) {
		if ctx.Err() != nil {
			return
		}
		ear := make(chan struct{}, 1)
		m.hear(link, ear, stations)
		defer m.hear(link, ear, -stations)
		said := host.Switch{Link: link}
		for ctx.Err() == nil {
			now, err := m.heardFrom(link)
			if err != nil {
				yield(host.Switch{}, err)
				return
			}
			if now != said {
				said = now
				if !yield(now, nil) {
					return
				}
			}
			select {
			case <-ctx.Done():
			case <-ear:
			}
		}
	}
}

// hear begins to listen, and the second time ends it.
func (m *Machine) hear(link string, ear chan struct{}, stations int) {
	defer m.lock().Unlock()
	if m.wire.ears == nil {
		m.wire.stations, m.wire.ears = map[string]int{}, map[chan struct{}]bool{}
	}
	m.wire.stations[m.cardBelow(link)] += stations
	if m.wire.ears[ear] {
		delete(m.wire.ears, ear)
	} else {
		m.wire.ears[ear] = true
	}
}

func (m *Machine) heardFrom(link string) (host.Switch, error) {
	defer m.look().Unlock()
	_, err := m.link(link)
	return m.says(link), err
}

// ring wakes all who listen, for the machine may have changed.
func (w *wire) ring() {
	for ear := range w.ears {
		select {
		case ear <- struct{}{}:
		default:
		}
	}
}
