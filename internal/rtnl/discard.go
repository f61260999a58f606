// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// discarded is the first of the groups (ip link set LINK group N) of links that are to go: "vnd" and a number that
	// nobody else is known to use. One message removes all of a group in the time of one.
	discarded = 'v'<<24 | 'n'<<16 | 'd'<<8
	// rooms is among how many further groups bridges are spread. The kernel waits for each bridge under the lock that all links
	// share (some 18 milliseconds), and lets others in between two groups.
	rooms = 4
)

// isDiscarded knows a link that was discarded by its group.
func isDiscarded(group uint32) bool { return group >= discarded && group <= discarded+rooms }

// discardedGroup is the group that a link gets.
func discardedGroup(l Link) uint32 {
	if l.Kind == "bridge" {
		return discarded + 1 + uint32(l.Index)%rooms
	}
	return discarded
}

// Discard takes a link that was just seen away from all who use it: it goes down, leaves its bridge, and has no IPv4 address
// any more; those of IPv6 and the routes go when it goes down. If it is a bridge, its ports have to be freed before. From then
// on no method finds it by its name or in a list, and the kernel is left with a device for [Conn.Reap]. All of that takes a
// hundredth of the time of [Conn.DelLink]. If it fails, a part of it may have been done.
func (c *Conn) Discard(l Link) error {
	body, err := linkBody(l.Index, 0, unix.IFF_UP, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.IFLA_GROUP, discardedGroup(l))
		if l.Master != 0 {
			ae.Uint32(unix.IFLA_MASTER, 0)
		}
	})
	if err != nil {
		return err
	}
	// Without an address the kernel removes the first.
	firstAddr := make([]byte, unix.SizeofIfAddrmsg)
	firstAddr[0] = unix.AF_INET
	binary.NativeEndian.PutUint32(firstAddr[4:], uint32(l.Index))
	requests := []request{
		{kind: unix.RTM_SETLINK, flags: unix.NLM_F_ACK, body: body},
		{kind: unix.RTM_DELADDR, flags: unix.NLM_F_ACK, body: firstAddr},
	}
	var refused [2]error
	for refused[1] == nil {
		_, err := c.exchange(requests, func(a answer) { refused[len(refused)-len(requests)+a.request] = a.err })
		if err := errors.Join(err, refused[0]); err != nil {
			return err
		}
		requests = requests[len(requests)-1:]
	}
	if none := refused[1]; !errors.Is(none, unix.EADDRNOTAVAIL) && !errors.Is(none, unix.ENODEV) {
		return fmt.Errorf("addresses of link %s: %w", l.Name, none)
	}
	return nil
}

// Condemn leaves links to [Conn.Reap] as they are, and returns an error or nil for each. From then on no method finds them.
func (c *Conn) Condemn(links []Link) []error {
	errs := make([]error, len(links))
	for done := 0; done < len(links); done += together {
		var requests []request
		for _, l := range links[done:min(done+together, len(links))] {
			body, err := linkBody(l.Index, 0, 0, func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.IFLA_GROUP, discardedGroup(l)) })
			errs[done+len(requests)] = err
			requests = append(requests, request{kind: unix.RTM_SETLINK, flags: unix.NLM_F_ACK, body: body})
		}
		_, err := c.exchange(requests, func(a answer) { errs[done+a.request] = errors.Join(errs[done+a.request], a.err) })
		for i := range requests {
			errs[done+i] = errors.Join(errs[done+i], err)
		}
	}
	return errs
}

// Reap removes all discarded links of the network namespace, whoever has discarded them, and reports whether there were any.
// It takes some 20 milliseconds, and the same again for each bridge.
func (c *Conn) Reap() (found bool, err error) {
	requests := make([]request, 1+rooms)
	for i := range requests {
		body, err := linkBody(0, 0, 0, func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.IFLA_GROUP, discarded+uint32(i)) })
		if err != nil {
			return false, err
		}
		requests[i] = request{kind: unix.RTM_DELLINK, flags: unix.NLM_F_ACK, body: body}
	}
	var refused error
	_, err = c.exchange(requests, func(a answer) {
		switch {
		case a.err == nil:
			found = true
		case !errors.Is(a.err, unix.ENODEV): // the kernel's word for a group that nobody is in
			refused = errors.Join(refused, a.err)
		}
	})
	if err := errors.Join(err, refused); err != nil {
		return found, fmt.Errorf("remove what was discarded: %w", err)
	}
	return found, nil
}

// Ports lists the links that belong to a bridge.
func (c *Conn) Ports(bridge int) ([]Link, error) {
	body, err := linkBody(0, 0, 0, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.IFLA_EXT_MASK, skipStatistics)
		ae.Uint32(unix.IFLA_MASTER, uint32(bridge))
	})
	if err != nil {
		return nil, err
	}
	return c.listLinks(body, func(l Link) bool { return l.Master == bridge }) // a kernel may list all
}
