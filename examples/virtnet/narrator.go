// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// A narrator is a backend that tells what another one does, and how long it takes.
type narrator struct {
	host.Backend
	out io.Writer
}

func (n narrator) Do(ctx context.Context, op host.Op) error {
	start := time.Now()
	err := n.Backend.Do(ctx, op)
	fmt.Fprintf(n.out, "  %9s  %s\n", took(start), op)
	if err != nil {
		fmt.Fprintf(n.out, "  %9s  %v\n", "", err)
	}
	return err
}

func (n narrator) OpenTap(ctx context.Context, link string, queues int) ([]*os.File, error) {
	opener, ok := n.Backend.(host.TapOpener)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return opener.OpenTap(ctx, link, queues)
}

func (n narrator) Leases(ctx context.Context, server string) ([]host.Lease, error) {
	reader, ok := n.Backend.(host.LeaseReader)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return reader.Leases(ctx, server)
}

func (n narrator) Neighbours(ctx context.Context, link string) ([]host.Neighbour, error) {
	reader, ok := n.Backend.(host.NeighbourReader)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return reader.Neighbours(ctx, link)
}

// took is the time since start in milliseconds.
func took(start time.Time) string {
	return fmt.Sprintf("%.2f ms", float64(time.Since(start).Microseconds())/1000)
}
