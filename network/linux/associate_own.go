// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/vdp"
	"github.com/go-virtnet/virtnet/network/host"
)

// agreePatience is how long a switch has to say that it associates guests, when the station is new to it. Most take a second.
const agreePatience = 10 * time.Second

// ownTeller tells the switch by the station that the backend plays at its card.
type ownTeller struct{ station *cardStation }

func (b *Backend) newOwnTeller(ctx context.Context, card rtnl.Link) (*ownTeller, error) {
	s, err := b.stationAt(card)
	if err != nil {
		return nil, err
	}
	select {
	case <-s.restored:
		return &ownTeller{s}, nil
	case <-s.done:
		return nil, s.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (t *ownTeller) close() {} // the station stays

func (t *ownTeller) known(context.Context) (ids []host.UUID, err error) {
	for _, v := range t.station.has() {
		ids = append(ids, v.Instance)
	}
	return ids, nil
}

func (t *ownTeller) tell(ctx context.Context, v host.VSI, request uint8, _ bool) error {
	if request == rtnl.PortDisassociate {
		return t.forget(ctx, v)
	}
	if err := t.agree(ctx); err != nil {
		return err
	}
	news, err := t.station.ask(ctx, messageOf(v, modeOf(request)))
	if err != nil {
		return err
	}
	switch news.Outcome {
	case vdp.Granted:
		return nil
	case vdp.Refused:
		return refusal(uint16(news.Status &^ vdp.Answer))
	case vdp.Unheard:
		return fmt.Errorf("the switch acknowledges nothing: %w", os.ErrDeadlineExceeded)
	}
	return fmt.Errorf("the switch does not answer: %w", os.ErrDeadlineExceeded)
}

// forget tells the switch to forget a guest, which it does by itself if it does not answer.
func (t *ownTeller) forget(ctx context.Context, v host.VSI) error {
	patience, cancel := context.WithTimeout(ctx, forgetPatience)
	defer cancel()
	_, err := t.station.ask(patience, messageOf(v, vdp.Disassociate))
	if patience.Err() != nil {
		return context.Cause(ctx) // nil unless it has ended by itself
	}
	return err
}

// agree waits for a switch that has not been heard yet.
func (t *ownTeller) agree(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, agreePatience)
	defer cancel()
	select {
	case <-t.station.agreed:
		return nil
	case <-t.station.done:
		return t.station.err
	case <-patience.Done():
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if heard, ok := t.station.backend.switches.at(t.station.card); ok && heard.Draft {
		return fmt.Errorf("the switch there speaks a draft of 802.1Qbg, for which lldpad is needed: %w", errors.ErrUnsupported)
	}
	return fmt.Errorf("no switch there says that it associates guests: %w", errors.ErrUnsupported)
}

// modeOf is a request in the words of VDP.
func modeOf(request uint8) vdp.Mode {
	if request == rtnl.PortPreassociate {
		return vdp.Preassociate
	}
	return vdp.Associate
}

// messageOf is a guest in the words of VDP.
func messageOf(v host.VSI, mode vdp.Mode) vdp.VSI {
	return vdp.VSI{
		Mode: mode, Manager: [16]byte{v.Manager}, Type: v.Type, Version: v.Version, Instance: v.Instance,
		Filters: []vdp.Filter{{MAC: v.MAC, VLAN: v.VLAN}},
	}
}

// knownElsewhere lists the guests of a link whose station another program plays: it writes down which have been ended.
func knownElsewhere(link string, written []vsiRecord) (ids []host.UUID) {
	for _, r := range written {
		if r.Association.Link == link && !r.Ended {
			ids = append(ids, r.Association.Instance)
		}
	}
	return ids
}

// associationEnded writes down and tells that the switch has ended an association.
func (b *Backend) associationEnded(id host.UUID) {
	defer b.servers.wakeAll()
	release, _ := b.vsis.tryClaim(id)
	if release == nil {
		return // somebody is at work on it, and will see
	}
	defer release()
	if r, err := b.readVSI(id); err == nil {
		r.Ended = true
		_ = b.writeRecord(r) // for others only
	}
}

// errElsewhere is that another program is the station at a card.
var errElsewhere = fmt.Errorf("another program is the station there: %w", fs.ErrExist)
