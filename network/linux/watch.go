// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"iter"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/ovs"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Watcher = (*Backend)(nil)

// Watch tells what changes in the backend's namespace, by whatever program: links, addresses, routes, forwarding, traffic
// control and the table of filters as the kernel tells it, zones as firewalld does, ports of Open vSwitch as its database
// does, and servers as they start and end; see [host.Watcher]. Servers that other processes start, and a database or a message
// bus that is started, are found within two seconds, and what becomes of them is told at once from then on. Kernel parameters
// other than forwarding are not told, because the kernel does not tell.
//
// It works in the goroutine of the loop, with others for the message bus if there is one, and keeps four descriptors, one for
// the bus and one for each server open as long as it goes on.
func (b *Backend) Watch(ctx context.Context) iter.Seq2[host.Change, error] {
	return func(yield func(host.Change, error) bool) {
		if ctx.Err() != nil {
			return
		}
		w, err := b.newWatcher(ctx)
		if err != nil {
			yield(host.Change{}, err)
			return
		}
		defer w.close()
		defer context.AfterFunc(ctx, w.wake.call)()
		w.tell(host.Change{Kind: host.Anything})
		for {
			for _, c := range w.found {
				if ctx.Err() != nil || !yield(c, nil) {
					return
				}
			}
			w.found = w.found[:0]
			if ctx.Err() != nil {
				return
			}
			if err := w.wait(ctx); err != nil {
				if ctx.Err() == nil {
					yield(host.Change{}, err)
				}
				return
			}
		}
	}
}

// A watcher is one Watch.
type watcher struct {
	backend *Backend
	rt      *rtnl.Monitor
	// nft is nil on a kernel without nf_tables.
	nft *nft.Monitor
	// ovs is nil where no Open vSwitch answers.
	ovs  *ovs.Monitor
	wake *wake
	// ear is nil without a message bus.
	ear *ear
	// links are the names that links have.
	links map[int]string
	// servers are those that run, by their names.
	servers map[string]*process
	// associations is what is told of guests at switches.
	associations associationWatch
	// next is when to look for servers and associations again.
	next time.Time
	// found is what has to be told.
	found []host.Change
}

func (b *Backend) newWatcher(ctx context.Context) (w *watcher, err error) {
	w = &watcher{backend: b, links: map[int]string{}, servers: map[string]*process{}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.wake, err = b.servers.newWake(); err != nil {
		return nil, err
	}
	if b.messages != "" {
		w.ear = listen(b.messages, w.wake.call)
	}
	if w.rt, err = b.rt.Monitor(); err != nil {
		return nil, err
	}
	if w.nft, err = b.nft.Monitor(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	if err = w.lookAtLinks(); err != nil {
		return nil, err
	}
	w.lookForOVS(ctx)
	if err = w.lookForServers(); err != nil {
		return nil, err
	}
	if err = w.lookAtAssociations(); err != nil {
		return nil, err
	}
	w.found = nil
	return w, nil
}

func (w *watcher) close() {
	if w.ear != nil {
		w.ear.close()
	}
	if w.wake != nil {
		w.backend.servers.endWake(w.wake)
	}
	if w.rt != nil {
		_ = w.rt.Close()
	}
	if w.nft != nil {
		_ = w.nft.Close()
	}
	if w.ovs != nil {
		w.ovs.Close()
	}
	w.associations.close()
	for _, p := range w.servers {
		p.close()
	}
}

func (w *watcher) tell(c host.Change) {
	if n := len(w.found); n == 0 || w.found[n-1] != c {
		w.found = append(w.found, c)
	}
}

// wait waits until there may be something to tell, and finds it.
func (w *watcher) wait(ctx context.Context) error {
	fds := []unix.PollFd{
		{Fd: int32(w.wake.fd), Events: unix.POLLIN},
		{Fd: int32(w.rt.FD()), Events: unix.POLLIN},
	}
	if w.nft != nil {
		fds = append(fds, unix.PollFd{Fd: int32(w.nft.FD()), Events: unix.POLLIN})
	}
	told := len(fds) // where it is known whether the switch tells something
	if w.ovs != nil {
		fds = append(fds, unix.PollFd{Fd: int32(w.ovs.FD()), Events: unix.POLLIN})
	}
	if n := w.associations.notices; n != nil {
		fds = append(fds, unix.PollFd{Fd: int32(n.FD()), Events: unix.POLLIN})
	}
	for _, p := range w.servers {
		fds = append(fds, unix.PollFd{Fd: int32(p.pidfd), Events: unix.POLLIN})
	}
	timeout := unix.NsecToTimespec(max(0, time.Until(w.next)).Nanoseconds())
	if _, err := unix.Ppoll(fds, &timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return os.NewSyscallError("ppoll", err)
	}
	woken := fds[0].Revents != 0
	if woken {
		w.wake.answer()
	}
	for kind := range w.ear.take() {
		w.tell(host.Change{Kind: kind})
	}
	if err := w.readNotices(); err != nil {
		return err
	}
	if w.ovs != nil && fds[told].Revents != 0 {
		w.readOVS()
	}
	if err := w.endedServers(); err != nil {
		return err
	}
	if w.ovs == nil && !time.Now().Before(w.next) {
		w.lookForOVS(ctx)
	}
	if err := w.readAgent(); err != nil {
		return err
	}
	if woken || !time.Now().Before(w.next) {
		if err := w.lookForServers(); err != nil {
			return err
		}
		return w.lookAtAssociations()
	}
	return nil
}

// readNotices reads what the kernel has told.
func (w *watcher) readNotices() error {
	lost := false
	err := w.rt.Read(func(n rtnl.Notice) {
		lost = lost || n.Kind == rtnl.Lost
		w.notice(n)
	})
	if err != nil {
		return err
	}
	if w.nft != nil {
		lostFilters, err := w.nft.Read(
			func(network string) { w.tell(host.Change{Kind: host.FilterChanged, Name: network}) },
			func(link string) { w.tell(host.Change{Kind: host.ShapeChanged, Name: link}) })
		if err != nil {
			return err
		}
		lost = lost || lostFilters
	}
	if !lost {
		return nil
	}
	// What was heard is of no more use than what was not.
	w.found = w.found[:0]
	w.tell(host.Change{Kind: host.Anything})
	return w.lookAtLinks()
}

// lookAtLinks learns the names of all links.
func (w *watcher) lookAtLinks() error {
	links, err := w.backend.rt.Links()
	if err != nil {
		return err
	}
	clear(w.links)
	for _, l := range links {
		w.links[l.Index] = l.Name
	}
	return nil
}

// notice turns the kernel's words into ours: it tells of links by their numbers, and of one that is new and one that is
// changed alike.
func (w *watcher) notice(n rtnl.Notice) {
	name := w.links[n.Index]
	if name == "" && n.Index != 0 && n.Kind != rtnl.LinkThere {
		return // of what is gone already for who watches, or will be told to be there
	}
	switch n.Kind {
	case rtnl.LinkThere:
		w.links[n.Index] = n.Name
		switch name {
		case n.Name:
			w.tell(host.Change{Kind: host.LinkChanged, Name: name})
		case "":
			w.tell(host.Change{Kind: host.LinkAdded, Name: n.Name})
		default:
			w.tell(host.Change{Kind: host.LinkRemoved, Name: name})
			w.tell(host.Change{Kind: host.LinkAdded, Name: n.Name})
		}
	case rtnl.LinkGone:
		delete(w.links, n.Index)
		w.tell(host.Change{Kind: host.LinkRemoved, Name: name})
	case rtnl.LinkOther:
		w.tell(host.Change{Kind: host.LinkChanged, Name: name})
	case rtnl.RouteNotice:
		w.tell(host.Change{Kind: host.RouteChanged, Name: name})
	case rtnl.ForwardingNotice:
		w.tell(host.Change{Kind: host.ForwardingChanged})
	case rtnl.ShapeNotice:
		w.tell(host.Change{Kind: host.ShapeChanged, Name: name})
	}
}

// readOVS reads what the database of Open vSwitch has told. Without it, nothing is known of any port.
func (w *watcher) readOVS() {
	err := w.ovs.Read(func(port string) { w.tell(host.Change{Kind: host.OVSPortChanged, Name: port}) })
	if err != nil {
		w.ovs.Close()
		w.ovs = nil
		w.tell(host.Change{Kind: host.OVSPortChanged})
	}
}

// lookForOVS finds the database of Open vSwitch, if it does not know it. What is the matter with one that does not
// answer is said by whoever looks at its ports.
func (w *watcher) lookForOVS(ctx context.Context) {
	if monitor, err := w.backend.ovsdb().Monitor(ctx); err == nil {
		w.ovs = monitor
		w.tell(host.Change{Kind: host.OVSPortChanged})
	}
}

// endedServers finds the servers that have ended.
func (w *watcher) endedServers() error {
	for name, p := range w.servers {
		ended, err := w.backend.serverFiles(name).ended(p)
		if err != nil {
			return err
		}
		if ended {
			p.close()
			delete(w.servers, name)
			w.tell(host.Change{Kind: host.ServerEnded, Name: name})
		}
	}
	return nil
}

// lookForServers finds the servers that have been started.
func (w *watcher) lookForServers() error {
	w.next = time.Now().Add(lookAgain)
	names, err := w.backend.serverNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		if w.servers[name] != nil {
			continue
		}
		files := w.backend.serverFiles(name)
		record, ok := files.recorded()
		if !ok || record.Instance != w.backend.instance {
			continue
		}
		if locked, err := files.locked(); err != nil || !locked {
			continue // It has been ended in between.
		}
		p, err := files.openHere(&record)
		if p == nil && err == nil {
			p, err = files.find()
		}
		if err == nil && p != nil {
			w.servers[name] = p
			w.tell(host.Change{Kind: host.ServerStarted, Name: name})
		}
	}
	return nil
}
