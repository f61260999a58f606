// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

var _ host.TapOpener = (*Backend)(nil)

// OpenTap opens queues of a tap; see [host.TapOpener]. A queue that somebody has open already, of a tap that has but one,
// wraps unix.EBUSY, after a second of trying.
func (b *Backend) OpenTap(ctx context.Context, link string, queues int) ([]*os.File, error) {
	if err := errors.Join(ctx.Err(), host.CheckName(link)); err != nil {
		return nil, err
	}
	if queues == 1 {
		if file, ok := b.taps.take(link); ok {
			return []*os.File{file}, nil
		}
	}
	b.taps.drop(link)
	tap, err := b.rt.Link(link)
	if err != nil {
		return nil, err
	}
	if kindOf(tap) != host.Tap {
		return nil, fmt.Errorf("%s is no tap device: %w", link, fs.ErrNotExist)
	}
	if most := mostQueues(tap); queues < 1 || queues > most {
		return nil, fmt.Errorf("tap %s: %d queues, from 1 to %d are allowed: %w", link, queues, most, fs.ErrInvalid)
	}
	var files []*os.File
	for range queues {
		file, err := b.openFreeQueue(ctx, tap)
		if err == nil {
			files = append(files, file)
			continue
		}
		for _, file := range files {
			err = errors.Join(err, file.Close())
		}
		return nil, err
	}
	return files, nil
}

func mostQueues(tap rtnl.Link) int {
	if tap.Tap.MultiQueue {
		return host.MaxQueues
	}
	return 1
}

// busyTimeout is how long a tap may be held that nobody uses: a program that is being started holds what this process had
// open at that moment, until it has become another program.
const busyTimeout = time.Second

// openFreeQueue opens one queue of a tap as soon as nobody holds it.
func (b *Backend) openFreeQueue(ctx context.Context, tap rtnl.Link) (*os.File, error) {
	for deadline := time.Now().Add(busyTimeout); ; {
		file, err := b.openQueue(tap)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return file, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// openQueue opens one queue of a tap. If the tap went away in the meantime the kernel makes another of that name, which
// ends with the descriptor.
func (b *Backend) openQueue(tap rtnl.Link) (*os.File, error) {
	fd, err := b.openClone()
	if err != nil {
		return nil, err
	}
	err = attach(fd, tap.Name, tapFlags(tap.Tap.MultiQueue, tap.Tap.VnetHdr))
	if err == nil {
		var index int
		if index, err = b.rt.Index(tap.Name); err == nil && index != tap.Index {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("tap %s: %w", tap.Name, err)
	}
	return os.NewFile(uintptr(fd), clone), nil
}
