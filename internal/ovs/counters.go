// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
)

// Counters returns what has passed a port, as the switch sees it. What the port has no counter for is 0.
func (c Client) Counters(ctx context.Context, link string) (host.Counters, error) {
	var none host.Counters
	conn, err := dial(ctx, c.Path)
	if err != nil {
		return none, err
	}
	defer conn.close()
	var rows []struct {
		Statistics dict[string, uint64] `json:"statistics"`
	}
	if err := conn.transact(ctx, []operation{find("Interface", where("name", "==", link), "statistics")}, &rows); err != nil {
		return none, err
	}
	if len(rows) == 0 {
		return none, fmt.Errorf("port %s of Open vSwitch: %w", link, fs.ErrNotExist)
	}
	count := func(way string) host.Traffic {
		s := rows[0].Statistics
		return host.Traffic{Packets: s[way+"_packets"], Bytes: s[way+"_bytes"], Dropped: s[way+"_dropped"], Errors: s[way+"_errors"]}
	}
	return host.Counters{Received: count("rx"), Sent: count("tx")}, nil
}
