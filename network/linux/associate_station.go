// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/lldp"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/vdp"
	"github.com/go-virtnet/virtnet/network/host"
)

// restorePatience is how long a switch is waited for that is told again of the guests of a program before this one.
const restorePatience = 5 * time.Second

// stations are those of 802.1Qbg that a backend plays, by the numbers of their cards.
type stations struct {
	mu   sync.Mutex
	list map[int]*cardStation
}

// A cardStation is the station at a card: what [vdp.Station] decides, with sockets. It asks the switch to reflect as well.
type cardStation struct {
	backend  *Backend
	card     rtnl.Link
	listener *listener
	frames   *frames
	// mark is a socket whose name no other program of the namespace can have as long as this one does.
	mark *os.File

	cancel context.CancelFunc
	// loops are the goroutines that read; done is closed when they have ended, with err set.
	loops sync.WaitGroup
	done  chan struct{}
	err   error
	// agreed is closed when the switch was first heard, and restored when it was told of the guests that were left behind.
	agreed, restored chan struct{}

	mu      sync.Mutex
	state   vdp.Station
	timer   *time.Timer
	waiting map[[16]byte]chan vdp.News
	// bridge is what the switch said last, nil if nothing holds.
	bridge *lldp.EVB
}

// stationAt finds or starts the station at a card. If another program plays it, the error is errElsewhere.
func (b *Backend) stationAt(card rtnl.Link) (*cardStation, error) {
	b.stations.mu.Lock()
	defer b.stations.mu.Unlock()
	if c := b.stations.list[card.Index]; c != nil {
		return c, nil
	}
	c := &cardStation{
		backend: b, card: card, done: make(chan struct{}), agreed: make(chan struct{}), restored: make(chan struct{}),
		state: vdp.NewStation(uint16(rand.Uint32())), waiting: map[[16]byte]chan vdp.News{},
	}
	if err := c.open(); err != nil {
		return nil, err
	}
	if b.stations.list == nil {
		b.stations.list = map[int]*cardStation{}
	}
	b.stations.list[card.Index] = c
	c.start()
	return c, nil
}

// close ends all stations. Switches are not told, so that the next program can go on with their guests.
func (s *stations) close() {
	s.mu.Lock()
	list := s.list
	s.list = nil
	s.mu.Unlock()
	for _, c := range list {
		c.end()
	}
}

// leave ends the station at a card, if there is one, because somebody else is to be it.
func (s *stations) leave(card rtnl.Link) {
	s.mu.Lock()
	c := s.list[card.Index]
	delete(s.list, card.Index)
	s.mu.Unlock()
	if c != nil {
		c.end()
	}
}

// forget takes out one that has ended by itself.
func (s *stations) forget(c *cardStation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list[c.card.Index] == c {
		delete(s.list, c.card.Index)
	}
}

func (c *cardStation) open() (err error) {
	defer func() {
		if err != nil {
			c.closeFiles()
		}
	}()
	if c.mark, err = c.backend.markCard(c.card); err != nil {
		return err
	}
	if c.listener, err = c.backend.newListener(c.card.Name, true); err != nil {
		return err
	}
	c.frames, err = c.backend.openFrames(c.card, vdp.EtherType, vdp.Group)
	return err
}

func (c *cardStation) closeFiles() {
	if c.frames != nil {
		_ = c.frames.close()
	}
	if c.listener != nil {
		c.listener.close()
	}
	if c.mark != nil {
		_ = c.mark.Close()
	}
}

// markPatience is how long a mark is tried to get that somebody has. A process that is just being started, here or in a program
// whose station has ended, has copies of the descriptors of that program until it runs.
const markPatience = 64 * time.Millisecond

// markCard says to other programs of the namespace that this one is the station at a card.
func (b *Backend) markCard(card rtnl.Link) (mark *os.File, err error) {
	err = b.enter(func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		mark = os.NewFile(uintptr(fd), "station at "+card.Name)
		name := &unix.SockaddrUnix{Name: fmt.Sprintf("@virtnet/station/%d", card.Index)}
		for pause := time.Millisecond; ; pause *= 2 {
			err := unix.Bind(fd, name)
			if !errors.Is(err, unix.EADDRINUSE) || pause >= markPatience {
				return os.NewSyscallError("bind", err)
			}
			time.Sleep(pause)
		}
	})
	if err != nil && mark != nil {
		_ = mark.Close()
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, errElsewhere
	}
	return mark, err
}

// start reads what the switch says, in goroutines that end with the station, and tells it of the guests that were left behind.
func (c *cardStation) start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.timer = time.AfterFunc(time.Hour, func() { c.step(nil) })
	failed := make(chan error, 2)
	c.loops.Go(func() { failed <- c.negotiate(ctx) })
	c.loops.Go(func() { failed <- c.read(ctx) })
	c.loops.Go(func() { c.restore(ctx) })
	go func() {
		err := <-failed
		cancel()
		c.loops.Wait()
		c.finish(err)
	}()
}

// end ends the station, and returns when nothing of it is left.
func (c *cardStation) end() {
	c.cancel()
	<-c.done
}

// finish is the end, by that error or because somebody wanted it.
func (c *cardStation) finish(err error) {
	c.backend.stations.forget(c)
	c.mu.Lock()
	c.timer.Stop()
	if len(c.state.Has()) > 0 {
		c.listener.mute()
	}
	c.closeFiles()
	c.err = err
	if err == nil {
		c.err = fmt.Errorf("the station at %s: %w", c.card.Name, os.ErrClosed)
	}
	close(c.done)
	c.mu.Unlock()
	if err != nil {
		c.backend.servers.wakeAll() // with the card the guests are gone
	}
}

// negotiate hears what the switch says of itself, and answers, until ctx ends or the link goes.
func (c *cardStation) negotiate(ctx context.Context) error {
	for ctx.Err() == nil {
		if _, err := c.listener.listen(ctx); err != nil {
			return err
		}
		// lldpad, where it plays the switch, has no times of its own before it is answered, and ends at once what it grants then.
		if err := c.listener.station.speak(c.listener.evb); err != nil {
			return err
		}
		c.hear(c.listener.evb)
	}
	return nil
}

// hear takes in what the switch says, nil if nothing holds.
func (c *cardStation) hear(said *lldp.EVB) {
	was := c.bridge
	c.bridge = said
	if said == nil || said.Role != lldp.Bridge || was != nil && *was == *said {
		return
	}
	first := was == nil && !isClosed(c.agreed)
	terms := stationOffer.With(*said)
	c.step(vdp.Agree{Started: !first, Terms: vdp.TermsOf(terms.Retries, terms.Retransmit, terms.Wait, terms.KeepAlive)})
	if first {
		close(c.agreed)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// read reads what the switch says of guests, until ctx ends or the link goes.
func (c *cardStation) read(ctx context.Context) error {
	for {
		_, _, payload, err := c.frames.receive(ctx, time.Time{})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if m, err := vdp.Parse(payload); err == nil {
			c.step(vdp.Receive{Message: m})
		}
	}
}

// step lets something happen.
func (c *cardStation) step(e vdp.Event) {
	c.mu.Lock()
	ended := c.stepLocked(e)
	c.mu.Unlock()
	for _, n := range ended {
		c.backend.associationEnded(n.Instance)
	}
}

// stepLocked returns what the switch has ended.
func (c *cardStation) stepLocked(e vdp.Event) (ended []vdp.News) {
	if isClosed(c.done) {
		return nil
	}
	var out vdp.Output
	c.state, out = c.state.Next(e, time.Now())
	for _, m := range out.Send {
		// What cannot be sent now is sent again. Two zeros are the end of the list.
		_ = c.frames.send(vdp.Group, append(m.Append(nil), 0, 0))
	}
	if out.Wake.IsZero() {
		c.timer.Stop()
	} else {
		c.timer.Reset(max(0, time.Until(out.Wake)))
	}
	for _, n := range out.News {
		if n.Outcome == vdp.Ended {
			ended = append(ended, n)
		} else if ch := c.waiting[n.Instance]; ch != nil {
			delete(c.waiting, n.Instance)
			ch <- n
		}
	}
	return ended
}

// wish has the switch told of a guest. The channel gets what becomes of it, unless something else is wished for that guest.
func (c *cardStation) wish(v vdp.VSI) <-chan vdp.News {
	ch := make(chan vdp.News, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if was := c.waiting[v.Instance]; was != nil {
		close(was)
	}
	c.waiting[v.Instance] = ch
	c.stepLocked(vdp.Want{VSI: v})
	return ch
}

// ask has the switch told of a guest, and waits for what becomes of it.
func (c *cardStation) ask(ctx context.Context, v vdp.VSI) (vdp.News, error) {
	select {
	case n := <-c.wish(v):
		return n, nil
	case <-c.done:
		return vdp.News{}, c.err
	case <-ctx.Done():
		return vdp.News{}, context.Cause(ctx)
	}
}

func (c *cardStation) has() []vdp.VSI {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isClosed(c.done) {
		return nil
	}
	return c.state.Has()
}

// restore tells the switch of the guests of whoever was the station before, which it may still know.
func (c *cardStation) restore(ctx context.Context) {
	defer close(c.restored)
	written, err := c.backend.readVSIs()
	if err != nil {
		return // whoever looks reads them again, and says so
	}
	var wishes []<-chan vdp.News
	for _, r := range written {
		if a := r.Association; a.Link == c.card.Name {
			wishes = append(wishes, c.wish(messageOf(a.VSI, modeOf(requestOf(host.Associate(a))))))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, restorePatience)
	defer cancel()
	for _, w := range wishes {
		select {
		case <-w:
		case <-ctx.Done():
			return
		}
	}
}
