// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

const (
	// readyPatience is how long an agent has to agree with the switch that they speak of guests, after one of them was started.
	readyPatience = 3 * time.Second
	// answerPatience is a little more than lldpad waits for the switch: if it is asked anything else of a guest before, it
	// wants nothing more to do with that guest.
	answerPatience = 17 * time.Second
	// forgetPatience is how long a switch is waited for that is told to forget a guest.
	forgetPatience = 5 * time.Second
	// agentPeriod is how often an agent is asked how far it has come, after a few times at shorter intervals. It is also how
	// long an answer of the last request may be told for that of this one.
	agentPeriod = 125 * time.Millisecond
)

// agentTeller has lldpad tell the switch.
type agentTeller struct {
	agent *rtnl.Agent
	card  rtnl.Link
}

func (b *Backend) agentFile() string { return cmp.Or(b.config.AgentPID, DefaultAgentPID) }

// agentPort is the netlink port of lldpad. Without lldpad it is errors.ErrUnsupported.
func (b *Backend) agentPort() (uint32, error) {
	path := b.agentFile()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: lldpad does not run: there is no %s", errors.ErrUnsupported, path)
	}
	if err != nil {
		return 0, err
	}
	// lldpad writes more bytes than the number has.
	port, err := strconv.ParseUint(strings.Trim(string(text), "\n\x00"), 10, 31)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%s is no file of a process number: %q: %w", path, text, fs.ErrInvalid)
	}
	return uint32(port), nil
}

func (b *Backend) newAgentTeller(card rtnl.Link) (*agentTeller, error) {
	port, err := b.agentPort()
	if err != nil {
		return nil, err
	}
	agent, err := b.rt.Agent(port)
	if err != nil {
		return nil, err
	}
	return &agentTeller{agent: agent, card: card}, nil
}

// startPatience is how long after its start an agent may need to find its cards.
const startPatience = 5 * time.Second

// agentSpeaks reports whether lldpad is set up to speak with the switch at a card, as its station or, by mistake, as a
// bridge. It is asked to forget a guest without a name, which it cannot know.
func (b *Backend) agentSpeaks(ctx context.Context, card rtnl.Link) (bool, error) {
	s, err := b.newAgentTeller(card)
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer s.close()
	for {
		err := s.agent.Request(ctx, card.Index, card.Name, rtnl.PortProfile{Request: rtnl.PortDisassociate})
		switch {
		case err == nil, errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EBUSY):
			return true, nil
		case errors.Is(err, unix.ECONNREFUSED):
			return false, nil
		case !unready(err):
			return false, s.explain(err)
		case !b.agentStarts():
			return false, nil
		}
		if err := pause(ctx, agentPeriod); err != nil {
			return false, err
		}
	}
}

// agentStarts reports whether an agent was started just now.
func (b *Backend) agentStarts() bool {
	file, err := os.Stat(b.agentFile())
	return err == nil && time.Since(file.ModTime()) < startPatience
}

// unready reports whether an agent does not speak at a card, or not yet.
func unready(err error) bool {
	return errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EPROTONOSUPPORT)
}

func (s *agentTeller) close() { _ = s.agent.Close() }

func (s *agentTeller) tell(ctx context.Context, v host.VSI, request uint8, again bool) error {
	profile := rtnl.PortProfile{
		Request: request, Instance: v.Instance, MAC: v.MAC, VLAN: v.VLAN, Manager: v.Manager, Type: v.Type, Version: v.Version,
	}
	err := s.request(ctx, profile)
	switch {
	case request != rtnl.PortDisassociate && err == nil:
		return s.await(ctx, v.Instance, again)
	case request != rtnl.PortDisassociate:
		return s.explain(err)
	case err == nil:
		return s.awaitEnd(ctx, v.Instance)
	case forgotten(err):
		return nil
	}
	return s.explain(err)
}

// forgotten reports whether an agent says that it knows nothing of a guest, or there is no agent that could.
func forgotten(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ECONNREFUSED)
}

// request asks, and waits for an agent that is not ready yet, or is at work on what a program before this one has asked.
func (s *agentTeller) request(ctx context.Context, p rtnl.PortProfile) error {
	for start := time.Now(); ; {
		err := s.agent.Request(ctx, s.card.Index, s.card.Name, p)
		patience := time.Duration(0)
		switch {
		case errors.Is(err, unix.EBUSY):
			patience = answerPatience
		case unready(err) && p.Request != rtnl.PortDisassociate:
			patience = readyPatience
		}
		if time.Since(start) >= patience {
			return err
		}
		if err := pause(ctx, agentPeriod); err != nil {
			return err
		}
	}
}

// explain says what the numbers of an agent's refusals mean.
func (s *agentTeller) explain(err error) error {
	for _, m := range []struct {
		number   unix.Errno
		text     string
		sentinel error
	}{
		{unix.ECONNREFUSED, "lldpad does not run", errors.ErrUnsupported},
		{unix.EPROTONOSUPPORT, "lldpad is not set up to speak of guests with the switch (lldptool -V evb -c enabletx=yes)", errors.ErrUnsupported},
		{unix.EOPNOTSUPP, "lldpad plays the bridge there, and no station", errors.ErrUnsupported},
		{unix.ENXIO, "lldpad has not agreed with the switch that guests are associated", errors.ErrUnsupported},
		{unix.ENODEV, "lldpad speaks of no guests there, or has given this one up until it is started anew", errors.ErrUnsupported},
		{unix.EBUSY, "lldpad is at work on this guest", fs.ErrExist},
		{unix.EINVAL, "lldpad does not take these numbers and addresses", fs.ErrInvalid},
		{unix.EPERM, "this process may not ask lldpad", fs.ErrPermission},
	} {
		if errors.Is(err, m.number) {
			return fmt.Errorf("%s: %w (%w)", m.text, m.sentinel, err)
		}
	}
	return err
}

// await waits for the answer of the switch. One that is not listed twice has been given up.
func (s *agentTeller) await(ctx context.Context, id host.UUID, again bool) error {
	missing := 0
	start := time.Now()
	for wait := agentPeriod / 16; time.Since(start) < answerPatience; wait = min(2*wait, agentPeriod) {
		if err := pause(ctx, wait); err != nil {
			return err
		}
		r, listed, err := s.response(ctx, id)
		switch {
		case err != nil:
			return s.explain(err)
		case !listed:
			if missing++; missing > 1 && wait == agentPeriod {
				return fmt.Errorf("lldpad has given up: the switch does not answer: %w", os.ErrDeadlineExceeded)
			}
		case r.Done && (!again || time.Since(start) > agentPeriod):
			return answered(r.Code)
		}
	}
	return fmt.Errorf("the switch does not answer within %s: %w", answerPatience, os.ErrDeadlineExceeded)
}

// awaitEnd waits until an agent has told the switch to forget a guest, or has given up.
func (s *agentTeller) awaitEnd(ctx context.Context, id host.UUID) error {
	start := time.Now()
	for wait := agentPeriod / 16; time.Since(start) < forgetPatience; wait = min(2*wait, agentPeriod) {
		if err := pause(ctx, wait); err != nil {
			return err
		}
		r, listed, err := s.response(ctx, id)
		if err != nil && !forgotten(err) {
			return s.explain(err)
		}
		if err != nil || !listed || r.Done && time.Since(start) > agentPeriod {
			return nil
		}
	}
	return nil
}

// response finds how far the switch has come with a guest.
func (s *agentTeller) response(ctx context.Context, id host.UUID) (r rtnl.PortResponse, listed bool, err error) {
	list, err := s.agent.Responses(ctx, s.card.Index)
	i := slices.IndexFunc(list, func(r rtnl.PortResponse) bool { return r.Instance == id })
	if i < 0 {
		return r, false, err
	}
	return list[i], true, err
}

// known asks twice, for an agent leaves others out when it tells of one for the last time. One that does not answer, as while it
// starts, knows of nobody.
func (s *agentTeller) known(ctx context.Context) (ids []host.UUID, err error) {
	for range 2 {
		list, err := s.agent.Responses(ctx, s.card.Index)
		if forgotten(err) || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, nil
		}
		if err != nil {
			return nil, s.explain(err)
		}
		for _, r := range list {
			if id := host.UUID(r.Instance); r.Done && r.Code == 0 && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// reasons are those that switches give, by the numbers of 802.1Qbg-2012 and, where that is another, the draft.
var reasons = []string{
	1: "what it was told has the wrong form", 2: "it lacks resources", 3: "its manager cannot be reached, or does not know the profile",
	4: "another reason, or the profile is not for this guest", 5: "an invalid VLAN, address or group, or another version of the profile",
	6: "it is out of step",
}

// reasonMask are the bits of an answer that say why the switch refuses; 0 is consent.
const reasonMask = 0x0f

// answered is the answer of a switch as an error; nil is consent.
func answered(code uint16) error {
	if code&reasonMask == 0 {
		return nil
	}
	return refusal(code)
}

// refusal is that of a switch as an error.
func refusal(code uint16) error {
	text := "a reason of its own"
	if n := int(code & reasonMask); n > 0 && n < len(reasons) {
		text = reasons[n]
	}
	return fmt.Errorf("%w: %s (code %#x)", host.ErrRefused, text, code)
}

// pause waits, and ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
