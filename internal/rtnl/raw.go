// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"errors"
	"io/fs"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Change has the kernel carry out a message of another family of rtnetlink, such as traffic control: its type and flags,
// and what follows the header.
func (c *Conn) Change(kind uint16, flags netlink.HeaderFlags, body []byte) error {
	return c.change(request{kind: kind, flags: flags, body: body})
}

// List hands over every item of a list, which is asked for again if it changed while it was read: begin is called before
// each time. The bytes are overwritten afterwards.
func (c *Conn) List(kind uint16, body []byte, begin func(), take func(body []byte) error) error {
	_, err := steady(func() ([]struct{}, bool, error) {
		begin()
		var failed error
		interrupted, err := c.exchange([]request{{kind: kind, flags: netlink.Dump, body: body}}, func(a answer) {
			if failed == nil {
				failed = a.err
			}
			if failed == nil && a.body != nil {
				failed = take(a.body)
			}
		})
		return nil, interrupted, errors.Join(err, failed)
	})
	return err
}

// Ask asks several questions of one kind, each for a single thing. Those that find nothing are left out.
func (c *Conn) Ask(kind uint16, bodies [][]byte, take func(body []byte) error) error {
	for len(bodies) > 0 {
		part := bodies[:min(together, len(bodies))]
		bodies = bodies[len(part):]
		requests := make([]request, len(part))
		for i, body := range part {
			// About traffic control the kernel answers as it does after a change: to whom wants an echo, and not at all about
			// a queueing discipline of its own.
			requests[i] = request{kind: kind, flags: unix.NLM_F_ACK | unix.NLM_F_ECHO, body: body}
		}
		var failed error
		_, err := c.exchange(requests, func(a answer) {
			switch {
			case errors.Is(a.err, fs.ErrNotExist), errors.Is(a.err, fs.ErrInvalid):
			case failed != nil:
			case a.err != nil:
				failed = a.err
			case a.body != nil:
				failed = take(a.body)
			}
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
	}
	return nil
}

// AddIFB makes a device of kind ifb, down: what is redirected to it waits in its queue and goes on.
func (c *Conn) AddIFB(n NewLink) error {
	return c.addLink(n, "ifb", func(*netlink.AttributeEncoder) error { return nil })
}
