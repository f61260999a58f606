// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// setReceive changes what a link takes, one thing after the other, and changes back what was changed if one is refused.
func (b *Backend) setReceive(o host.SetReceive) error {
	l, err := b.rt.Link(o.Link)
	if err != nil {
		return err
	}
	was, err := b.receive(l)
	if err == nil {
		err = b.receiveAs(l, was, o.Receive)
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("link %s: %w", o.Link, taken(err))
	now, lookErr := b.rt.Link(o.Link)
	if lookErr != nil {
		return errors.Join(err, lookErr)
	}
	is, lookErr := b.receive(now)
	if lookErr != nil {
		return errors.Join(err, lookErr)
	}
	return errors.Join(err, b.receiveAs(now, is, was))
}

// receiveAs makes a link take what is wanted, where it takes what was seen.
func (b *Backend) receiveAs(l rtnl.Link, is, want host.Receive) error {
	if is.MAC != want.MAC {
		if err := b.rt.SetLinkIndex(l.Index, rtnl.Change{MAC: want.MAC}); err != nil {
			return err
		}
	}
	for _, g := range want.Groups {
		if !slices.Contains(is.Groups, g) {
			if err := b.rt.AddGroup(l.Index, g); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	for _, g := range is.Groups {
		if !slices.Contains(want.Groups, g) {
			if err := b.rt.DelGroup(l.Index, g); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	promiscuous := want.Promiscuous
	if l.Mode == host.Passthru {
		if l.NoPromisc == want.Promiscuous {
			if err := b.rt.SetNoPromisc(l.Index, !want.Promiscuous); err != nil {
				return err
			}
		}
		promiscuous = false // it would not lead to anything
	}
	// Last, and also if nothing is another: until it is told its flags, a macvtap device takes what was for groups that it is
	// not in any more.
	return b.rt.SetTakes(l.Index, promiscuous, want.AllMulticast)
}

// receive is what a link takes.
func (b *Backend) receive(l rtnl.Link) (host.Receive, error) {
	r := host.Receive{Link: l.Name, MAC: l.MAC, Promiscuous: l.Promiscuous, AllMulticast: l.AllMulticast}
	if l.Mode == host.Passthru {
		r.Promiscuous = !l.NoPromisc
	}
	err := b.enter(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/dev_mcast")
		r.Groups = groupsOf(string(text), l.Name)
		return err
	})
	return r, err
}

// groupsOf are the groups that somebody put a link into, in the kernel's list of all; the others are the kernel's own.
func groupsOf(text, link string) (groups []host.MAC) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line) // index, name, users, those by hand, address
		if len(fields) != 5 || fields[1] != link || fields[3] == "0" {
			continue
		}
		if b, err := hex.DecodeString(fields[4]); err == nil && len(b) == len(host.MAC{}) {
			groups = append(groups, host.MAC(b))
		}
	}
	slices.SortFunc(groups, func(a, b host.MAC) int { return slices.Compare(a[:], b[:]) })
	return groups
}

// receiveFacts looks what links take.
func (b *Backend) receiveFacts(scope host.Scope, f *host.Facts) error {
	if len(scope.Receives) == 0 {
		return nil
	}
	names := slices.Compact(slices.Sorted(slices.Values(scope.Receives)))
	names = slices.DeleteFunc(names, func(name string) bool { return host.CheckName(name) != nil })
	links, err := b.rt.LinksNamed(names...)
	if err != nil {
		return err
	}
	for _, l := range links {
		r, err := b.receive(l)
		if err != nil {
			return err
		}
		f.Receives = append(f.Receives, r)
	}
	return nil
}
