// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/go-virtnet/virtnet/network/host"
)

var (
	_ host.SwitchWatcher = (*Machine)(nil)
	_ host.RelayProber   = (*Machine)(nil)
)

// A wire is what is at the other ends of network cards, and who listens there.
type wire struct {
	// switches is what they say, by the cards, as long as nobody asks; stations counts those who do.
	switches map[string]host.Switch
	stations map[string]int
	// silent are the cards at switches that reflect whatever they say, and probed is what was found out about them, by links.
	silent map[string]bool
	probed map[string]host.Relay
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

// SetReflecting has the switch at a network card reflect, or not, whatever it says; only who tries finds out. It stays when the
// machine is switched off.
func (m *Machine) SetReflecting(link string, reflects bool) error {
	defer m.lock().Unlock()
	if _, err := m.link(link); err != nil {
		return err
	}
	if m.wire.silent == nil {
		m.wire.silent = map[string]bool{}
	}
	m.wire.silent[link] = reflects
	return nil
}

// ProbeRelay finds what was set by [Machine.SetReflecting] and [Machine.SetSwitch]; see [host.RelayProber].
func (m *Machine) ProbeRelay(ctx context.Context, link string) (host.Relay, error) {
	if err := ctx.Err(); err != nil {
		return host.RelayUnknown, err
	}
	defer m.lock().Unlock()
	l, err := m.link(link)
	switch {
	case err != nil:
		return host.RelayUnknown, err
	case !l.Up:
		return host.RelayUnknown, missing("link %s that is up", link)
	case l.Master != "":
		return host.RelayUnknown, fmt.Errorf("link %s belongs to %s: %w", link, l.Master, errors.ErrUnsupported)
	}
	for _, guest := range m.standing(link) {
		if guest.Mode == host.Passthru {
			return host.RelayUnknown, fmt.Errorf("link %s belongs to %s: %w", link, guest.Name, errors.ErrUnsupported)
		}
	}
	found := host.RelayNo
	if m.wire.silent[m.cardBelow(link)] || m.says(link).Relay == host.RelayYes {
		found = host.RelayYes
	}
	if m.wire.probed == nil {
		m.wire.probed = map[string]host.Relay{}
	}
	m.wire.probed[link] = found
	return found, nil
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
		s := m.says(link)
		if s.Relay == host.RelayUnknown {
			s.Relay = m.wire.probed[link]
		}
		if !told[link] && m.links[link] != nil && s != (host.Switch{Link: link}) {
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
