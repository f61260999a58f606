// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/network/host"
)

// shapes is what a backend knows about shaping.
type shapes struct {
	// mu is held while a shape or its classes are changed.
	mu sync.Mutex
	// trusted is whether RunDir, which other processes lock at the same time, is known to be nobody else's.
	trusted bool
	// probe is held while the kernel is tried out, which is done once.
	probe sync.Mutex
	known bool
	can   host.Shaping
}

// shaping is what the kernel can do. It is tried out in a network namespace that is thrown away.
func (b *Backend) shaping() (host.Shaping, error) {
	b.shapes.probe.Lock()
	defer b.shapes.probe.Unlock()
	if !b.shapes.known {
		can, err := probeShaping()
		if err != nil {
			return host.Shaping{}, fmt.Errorf("what the kernel can do about traffic: %w", err)
		}
		b.shapes.can, b.shapes.known = can, true
	}
	can := b.shapes.can
	can.Queues, can.Means = slices.Clone(can.Queues), slices.Clone(can.Means)
	return can, nil
}

// probeShaping makes a link for each thing that is tried. A user that may make no namespace of its own cannot shape either.
func probeShaping() (can host.Shaping, err error) {
	enter, done, err := scratch()
	if err != nil {
		return can, rtnl.Translate(err)
	}
	defer done()
	rt, err := rtnl.Open(enter)
	if err != nil {
		return can, err
	}
	defer func() { _ = rt.Close() }()
	c := tc.New(enter, rt)
	defer func() { _ = c.Close() }()
	index, err := trial(rt, "a", func(n rtnl.NewLink) error { return rt.AddBridge(n, rtnl.BridgeOptions{}) })
	if err != nil {
		return can, err
	}
	if c.AddRoot(index, 2) != nil || c.SetClass(index, root, whole, rates(1000, 1000, 2)) != nil {
		return can, nil
	}
	for _, queue := range []host.Queue{host.FQCoDel, host.SFQ, host.BFIFO} {
		if c.SetQueue(index, whole, queueOf(queue, 1000, 1000)) == nil {
			can.Queues = append(can.Queues, queue)
		}
	}
	can.NoU32 = c.AddDestination(index, shapeMAC("a"), whole, false) != nil
	if err := c.AddClsact(index); err != nil {
		return can, nil // an older kernel, which has no place for what comes in and for what goes out
	}
	device, err := trial(rt, "b", rt.AddIFB)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return can, err
	}
	if err == nil && c.AddRedirect(index, device, can.NoU32) == nil {
		can.Means = append(can.Means, host.Redirect)
	}
	if c.AddPolice(index, policeOf(host.NewLimit(1000, 0, 0)), can.NoU32) == nil {
		can.Means = append(can.Means, host.Police)
	}
	filters := nft.New(enter)
	defer func() { _ = filters.Close() }()
	if filters.SetLimit(context.Background(), "a", nft.Limit{Rate: 1000}) == nil {
		can.Means = append(can.Means, host.Throttle)
	}
	return can, nil
}

// trial makes a link and finds its index.
func trial(rt *rtnl.Conn, name string, add func(rtnl.NewLink) error) (int, error) {
	if err := add(rtnl.NewLink{Name: name, MAC: shapeMAC(name)}); err != nil {
		return 0, err
	}
	l, err := rt.Link(name)
	return l.Index, err
}

// scratch makes a network namespace and a function that works in it. It ends when it is done, with all that is in it.
func scratch() (enter func(func() error) error, done func(), err error) {
	made := make(chan error, 1)
	var ns *os.File
	go func() {
		// As in enter: the thread is unlocked when it is outside again. It may be the first of the process, which cannot end
		// and stands for it.
		runtime.LockOSThread()
		var err error
		var outside bool
		if ns, outside, err = newNamespace(); outside {
			runtime.UnlockOSThread()
		}
		made <- err
	}()
	if err := <-made; err != nil {
		return nil, nil, err
	}
	inside := &Backend{ns: ns}
	return inside.enter, func() { _ = ns.Close() }, nil
}

// newNamespace makes a network namespace and opens it. Outside is whether the thread is where it was before.
func newNamespace() (ns *os.File, outside bool, err error) {
	const here = "/proc/thread-self/ns/net"
	home, err := os.Open(here)
	if err != nil {
		return nil, true, err
	}
	defer func() { _ = home.Close() }()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, true, os.NewSyscallError("unshare", err)
	}
	ns, err = os.Open(here)
	return ns, unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil, err
}
