// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// A teller tells the switch at a card of guests.
type teller interface {
	// tell has the switch do for a guest what a request of package rtnl says, and returns when it is done. Again is that the
	// switch has answered something about the guest before.
	tell(ctx context.Context, v host.VSI, request uint8, again bool) error
	// known lists the guests that the switch has taken in.
	known(ctx context.Context) ([]host.UUID, error)
	close()
}

// associate writes down what it is about to tell the switch, so that whoever comes after a program that was killed finds
// what may have been told.
func (b *Backend) associate(ctx context.Context, o host.Associate) error {
	card, err := b.associationCard(o.Link)
	if err != nil {
		return err
	}
	release, err := b.vsis.claim(ctx, o.Instance)
	if err != nil {
		return err
	}
	defer release()
	s, err := b.tellerAt(ctx, card)
	if err != nil {
		return fmt.Errorf("association of %s: %w", o.Link, err)
	}
	defer s.close()
	was, err := b.promotable(ctx, s, o)
	if err != nil {
		return err
	}
	if err := b.writeVSI(host.Association(o)); err != nil {
		return err
	}
	if err = s.tell(ctx, o.VSI, requestOf(o), was != nil); err == nil {
		b.servers.wakeAll() // who watches has to know it, to see it end
		return nil
	}
	err = fmt.Errorf("association of %s: %w", o.Link, err)
	if was != nil {
		return errors.Join(err, b.writeVSI(*was))
	}
	// Whatever has become of it, nothing of it is to come later.
	_ = s.tell(context.WithoutCancel(ctx), o.VSI, rtnl.PortDisassociate, false)
	return errors.Join(err, b.removeVSI(o.Instance))
}

func requestOf(o host.Associate) uint8 {
	if o.Pre {
		return rtnl.PortPreassociate
	}
	return rtnl.PortAssociate
}

// promotable finds the association that a guest has already, which must be one to be made more of. It is nil if there is none.
func (b *Backend) promotable(ctx context.Context, s teller, o host.Associate) (*host.Association, error) {
	r, err := b.readVSI(o.Instance)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	was := r.Association
	if was.VSI != o.VSI {
		return nil, fmt.Errorf("association %s: it is that of another guest, at %s: %w", o.Instance, was.Link, fs.ErrExist)
	}
	known, err := s.known(ctx)
	if err != nil || !slices.Contains(known, o.Instance) {
		return nil, err // the switch has forgotten it
	}
	if !was.Pre || o.Pre {
		return nil, fmt.Errorf("association %s at %s: %w", o.Instance, o.Link, fs.ErrExist)
	}
	return &was, nil
}

func (b *Backend) disassociate(ctx context.Context, o host.Disassociate) error {
	release, err := b.vsis.claim(ctx, o.Instance)
	if err != nil {
		return err
	}
	defer release()
	was, err := b.readVSI(o.Instance)
	if err == nil && was.Association.VSI != o.VSI {
		err = fs.ErrNotExist
	}
	if err != nil {
		return fmt.Errorf("association %s at %s: %w", o.Instance, o.Link, err)
	}
	card, err := b.rt.Link(o.Link)
	if err == nil {
		err = b.forgetAt(ctx, card, o.VSI)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("association %s at %s: %w", o.Instance, o.Link, err)
	}
	return b.removeVSI(o.Instance)
}

// forgetAt has the switch forget a guest, if anybody speaks with the switch: otherwise it forgets by itself.
func (b *Backend) forgetAt(ctx context.Context, card rtnl.Link, v host.VSI) error {
	s, err := b.tellerAt(ctx, card)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.close()
	return s.tell(ctx, v, rtnl.PortDisassociate, true)
}

// associationCard finds a card that is on and that a switch can be at.
func (b *Backend) associationCard(name string) (rtnl.Link, error) {
	l, err := b.rt.Link(name)
	switch {
	case err != nil:
		return l, err
	case l.Lower != 0:
		return l, fmt.Errorf("association of %s: it stands on another device, and switches are at cards: %w", name, fs.ErrInvalid)
	case !l.Up:
		return l, fmt.Errorf("association of %s: it is off: %w", name, fs.ErrNotExist)
	}
	return l, nil
}

// associationFacts are what was written down and the switches still know.
func (b *Backend) associationFacts(ctx context.Context, scope host.Scope, f *host.Facts) error {
	if !scope.All && len(scope.Associations) == 0 {
		return nil
	}
	all, err := b.readVSIs()
	if err != nil {
		return err
	}
	known := map[string][]host.UUID{}
	for _, r := range all {
		a := r.Association
		if !scope.All && !slices.Contains(scope.Associations, a.Link) {
			continue
		}
		if _, asked := known[a.Link]; !asked {
			if known[a.Link], err = b.knownAt(ctx, a.Link, all); err != nil {
				return fmt.Errorf("associations at %s: %w", a.Link, err)
			}
		}
		if slices.Contains(known[a.Link], a.Instance) {
			f.Associations = append(f.Associations, a)
		}
	}
	return nil
}

// knownAt lists the guests that the switch at a link has taken in: none without the link, or anybody who speaks there.
// Written is what was written down of all guests.
func (b *Backend) knownAt(ctx context.Context, link string, written []vsiRecord) ([]host.UUID, error) {
	card, err := b.rt.Link(link)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := b.tellerAt(ctx, card)
	switch {
	case errors.Is(err, errElsewhere):
		return knownElsewhere(link, written), nil
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, errTwoAgents), errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer s.close()
	return s.known(ctx)
}

// errTwoAgents is that the backend cannot be the station at a card, because lldpad is.
var errTwoAgents = fmt.Errorf("lldpad speaks with the switch there, and there can be one station at a card: %w", fs.ErrExist)

// tellerAt finds who speaks with the switch at a card, or is to. Nobody is errors.ErrUnsupported.
func (b *Backend) tellerAt(ctx context.Context, card rtnl.Link) (teller, error) {
	if b.config.Agent == Lldpad {
		return b.newAgentTeller(card)
	}
	speaks, err := b.agentSpeaks(ctx, card)
	switch {
	case err != nil:
		return nil, err
	case speaks && b.config.Agent == Native:
		return nil, errTwoAgents
	case speaks:
		b.stations.leave(card)
		return b.newAgentTeller(card)
	}
	return b.newOwnTeller(ctx, card)
}
