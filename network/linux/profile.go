// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// extenderPatience is how long a port extender may take to answer.
const extenderPatience = 10 * time.Second

// addProfile asks for a profile and waits for it. No card that can do so was there when this was written: what is sent was
// compared with what the kernel's headers and its one such driver want, byte by byte.
func (b *Backend) addProfile(ctx context.Context, o host.AddProfile) error {
	card, port, err := b.extenderPort(o.Profile)
	if err != nil {
		return err
	}
	if port.Done && port.Code == rtnl.ProfileSuccess {
		return fmt.Errorf("profile of %s: it has %q: %w", o.Link, port.Profile, fs.ErrExist)
	}
	wanted := rtnl.ExtenderPort{VF: port.VF, Profile: o.Name, Instance: o.Guest, Host: b.productUUID(), MAC: o.MAC}
	if err := b.rt.SetProfile(card, wanted, rtnl.PortAssociate); err != nil {
		return fmt.Errorf("profile of %s: %w", o.Link, err)
	}
	if err := b.awaitProfile(ctx, o.Profile); err != nil {
		err = fmt.Errorf("profile of %s: %w", o.Link, err)
		return errors.Join(err, b.rt.SetProfile(card, wanted, rtnl.PortDisassociate))
	}
	return nil
}

func (b *Backend) awaitProfile(ctx context.Context, p host.Profile) error {
	for start := time.Now(); time.Since(start) < extenderPatience; {
		_, port, err := b.extenderPort(p)
		if err != nil {
			return err
		}
		if port.Done && port.Instance == p.Guest && port.Code != rtnl.ProfileInProgress {
			return extenderAnswer(port.Code)
		}
		if err := pause(ctx, agentPeriod); err != nil {
			return err
		}
	}
	return fmt.Errorf("the switch does not answer within %s: %w", extenderPatience, os.ErrDeadlineExceeded)
}

// extenderAnswers are what a port extender says that refuses.
var extenderAnswers = map[uint16]string{
	rtnl.ProfileInvalid:               "it does not know the profile",
	rtnl.ProfileBadState:              "the port is in no state for it",
	rtnl.ProfileInsufficientResources: "it lacks resources",
	rtnl.ProfileError:                 "an error of its own",
}

func extenderAnswer(code uint16) error {
	if code == rtnl.ProfileSuccess {
		return nil
	}
	text := extenderAnswers[code]
	if text == "" {
		text = "an unknown answer"
	}
	return fmt.Errorf("%w: %s (code %#x)", host.ErrRefused, text, code)
}

func (b *Backend) delProfile(_ context.Context, o host.DelProfile) error {
	card, port, err := b.extenderPort(o.Profile)
	if err != nil {
		return err
	}
	if !port.Done || profileFact(o.Link, port) != o.Profile {
		return fmt.Errorf("profile %q of %s: %w", o.Name, o.Link, fs.ErrNotExist)
	}
	if err := b.rt.SetProfile(card, port, rtnl.PortDisassociate); err != nil {
		return fmt.Errorf("profile of %s: %w", o.Link, err)
	}
	return nil
}

// extenderPort finds the card of a profile, and what is known of the port.
func (b *Backend) extenderPort(p host.Profile) (card int, port rtnl.ExtenderPort, err error) {
	port.VF = uint32(p.VF) // Self has the same bits
	l, err := b.rt.Link(p.Link)
	if err != nil {
		return 0, port, err
	}
	all, err := b.rt.Profiles(l.Index)
	i := slices.IndexFunc(all, func(other rtnl.ExtenderPort) bool { return other.VF == port.VF })
	if err != nil || i < 0 {
		return l.Index, port, err
	}
	return l.Index, all[i], nil
}

// profileFacts are the profiles that port extenders have given.
func (b *Backend) profileFacts(_ context.Context, scope host.Scope, f *host.Facts) error {
	links, err := b.rt.LinksNamed(scope.Profiles...)
	if err != nil {
		return err
	}
	for _, l := range links {
		all, err := b.rt.Profiles(l.Index)
		if err != nil {
			return fmt.Errorf("profiles of %s: %w", l.Name, err)
		}
		for _, port := range all {
			if port.Done && port.Code == rtnl.ProfileSuccess {
				f.Profiles = append(f.Profiles, profileFact(l.Name, port))
			}
		}
	}
	return nil
}

func profileFact(link string, p rtnl.ExtenderPort) host.Profile {
	return host.Profile{Link: link, VF: int(int32(p.VF)), Name: p.Profile, Guest: p.Instance}
}

// productUUID is that of the machine, which port extenders are told; zero if it has none.
func (b *Backend) productUUID() (id host.UUID) {
	text, err := os.ReadFile(b.sys + "/class/dmi/id/product_uuid")
	if err != nil || id.UnmarshalText([]byte(strings.TrimSpace(string(text)))) != nil {
		return host.UUID{}
	}
	return id
}
