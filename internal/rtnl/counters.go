// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Counters are those of a link, by what the link has received and sent.
type Counters struct{ Received, Sent Traffic }

// A Traffic is what has passed in one direction.
type Traffic struct{ Packets, Bytes, Dropped, Errors uint64 }

// Counters reads those of a link by its index. None wraps fs.ErrNotExist.
func (c *Conn) Counters(index int) (Counters, error) {
	var counters Counters
	found := false
	err := c.Ask(unix.RTM_GETLINK, [][]byte{linkHeader(index, 0, 0)}, func(body []byte) error {
		ad, err := netlink.NewAttributeDecoder(body[unix.SizeofIfInfomsg:])
		if err != nil {
			return err
		}
		for ad.Next() {
			if ad.Type() == unix.IFLA_STATS64 {
				counters, err = parseCounters(ad.Bytes())
				found = true
			}
		}
		return errors.Join(err, ad.Err())
	})
	if err == nil && !found {
		err = fmt.Errorf("counters of link %d: %w", index, fs.ErrNotExist)
	}
	return counters, err
}

// parseCounters reads the kernel's rtnl_link_stats64, which grows at its end.
func parseCounters(b []byte) (Counters, error) {
	var n [8]uint64
	if len(b) < 8*len(n) {
		return Counters{}, fmt.Errorf("the kernel's counters have %d bytes", len(b))
	}
	for i := range n {
		n[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	return Counters{
		Received: Traffic{Packets: n[0], Bytes: n[2], Errors: n[4], Dropped: n[6]},
		Sent:     Traffic{Packets: n[1], Bytes: n[3], Errors: n[5], Dropped: n[7]},
	}, nil
}
