// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// A leaseLine is a lease as an object of JSON. A lease without Until is for ever.
type leaseLine struct {
	Network  string     `json:"network"`
	Address  string     `json:"address"`
	MAC      string     `json:"mac,omitempty"`
	Hostname string     `json:"hostname,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
}

// leases prints the addresses that the networks' servers have given out.
func (s station) leases(ctx context.Context, out io.Writer, args []string) error {
	j, err := s.job(ctx, out, args, 0, 1, nil)
	if err != nil {
		return err
	}
	defer j.close()
	reader, ok := j.nets.Backend().(host.LeaseReader)
	if !ok {
		return errors.ErrUnsupported
	}
	running, err := j.active(ctx, j.flags.Arg(0))
	if err != nil {
		return err
	}
	found, lines := []leaseLine{}, [][]string{{"ADDRESS", "NETWORK", "HOSTNAME", "MAC", "UNTIL"}}
	for _, n := range running {
		leases, err := reader.Leases(ctx, n.UUID.String())
		if errors.Is(err, fs.ErrNotExist) {
			continue // it serves no addresses
		}
		if err != nil {
			return err
		}
		for _, l := range leases {
			line := leaseLine{Network: n.Name, Address: l.Addr.String(), MAC: l.MAC.String(), Hostname: l.Hostname}
			until := "for ever"
			if !l.Expires.IsZero() {
				line.Until, until = &l.Expires, l.Expires.Format(time.DateTime)
			}
			found = append(found, line)
			lines = append(lines, []string{line.Address, line.Network, line.Hostname, line.MAC, until})
		}
	}
	return j.show(found, lines)
}
