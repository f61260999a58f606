// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.RelayProber = (*Backend)(nil)

const (
	// probeType is a type of frames for experiments (IEEE 802).
	probeType = 0x88b5
	// probeTries are so many frames, with so much time for each, and probeHolds is how long the facts tell what was found.
	probeTries  = 4
	probePeriod = 500 * time.Millisecond
	probeHolds  = 10 * time.Minute
)

// probeText is what a frame of a probe begins with, for those who see it.
const probeText = "virtnet: does the switch reflect? "

// ProbeRelay tries by a packet socket of the kernel; see [host.RelayProber]. A guest in mode passthrough whose device is in a
// namespace of its own is not seen, and takes what comes back: the answer is then RelayNo.
func (b *Backend) ProbeRelay(ctx context.Context, link string) (host.Relay, error) {
	if err := ctx.Err(); err != nil {
		return host.RelayUnknown, err
	}
	l, err := b.probeable(link)
	if err != nil {
		return host.RelayUnknown, err
	}
	socket, err := b.openFrames(l, probeType)
	if err != nil {
		return host.RelayUnknown, err
	}
	defer func() { _ = socket.close() }()
	found, err := probe(ctx, socket)
	if err == nil {
		b.switches.find(l, found)
	}
	return found, err
}

// probeable is a link on which what comes back can be seen.
func (b *Backend) probeable(name string) (rtnl.Link, error) {
	if err := host.CheckName(name); err != nil {
		return rtnl.Link{}, err
	}
	l, err := b.rt.Link(name)
	switch {
	case err != nil:
		return l, err
	case !l.Ethernet:
		return l, fmt.Errorf("link %s has no Ethernet: %w", name, errors.ErrUnsupported)
	case !l.Up || !l.Carrier:
		return l, fmt.Errorf("link %s that is up and has somebody at the other end: %w", name, fs.ErrNotExist)
	case l.Master != 0:
		return l, fmt.Errorf("link %s belongs to another, which takes what comes in: %w", name, errors.ErrUnsupported)
	}
	all, err := b.rt.Links()
	for _, guest := range all {
		if guest.Lower == l.Index && guest.Mode == host.Passthru {
			return l, fmt.Errorf("link %s belongs to %s, which takes what comes in: %w", name, guest.Name, errors.ErrUnsupported)
		}
	}
	return l, err
}

// probe sends frames from nobody to the link itself until one comes back.
func probe(ctx context.Context, socket *frames) (host.Relay, error) {
	var nobody [6]byte
	_, _ = rand.Read(nobody[:])
	nobody[0] = nobody[0]&^1 | 2 // that of one station, given by hand
	text := []byte(probeText + rand.Text())
	for range probeTries {
		if err := socket.sendFrom(nobody, socket.link.MAC, text); err != nil {
			return host.RelayUnknown, err
		}
		for until := time.Now().Add(probePeriod); ; {
			_, from, payload, err := socket.receive(ctx, until)
			switch {
			case ctx.Err() != nil:
				return host.RelayUnknown, context.Cause(ctx)
			case err == nil && from == nobody && bytes.HasPrefix(payload, text):
				return host.RelayYes, nil
			case err == nil:
				continue
			case !errors.Is(err, os.ErrDeadlineExceeded):
				return host.RelayUnknown, err
			}
			break
		}
	}
	return host.RelayNo, nil
}

// find remembers what was found out at a link.
func (s *switches) find(l rtnl.Link, r host.Relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probed == nil {
		s.probed = map[string]heardSwitch{}
	}
	s.probed[l.Name] = heardSwitch{Switch: host.Switch{Relay: r}, index: l.Index, until: time.Now().Add(probeHolds)}
}

// found is what was found out at a link, if it still holds.
func (s *switches) found(l rtnl.Link) (host.Relay, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.probed[l.Name].at(l)
	return found.Relay, ok
}
