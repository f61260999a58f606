// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tc

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"

	gotc "github.com/florianl/go-tc"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
)

// A Conn controls the traffic of one network namespace. It may be used by many goroutines.
type Conn struct {
	enter func(func() error) error
	rt    *rtnl.Conn

	// The library sends and receives in two steps, which must not mix with those of another caller.
	mu      sync.Mutex
	library *gotc.Tc
	closed  bool
}

// New prepares a connection. Enter runs a function inside the namespace, and rt is open there; it stays the caller's. The
// library's socket is opened when it is first needed.
func New(enter func(func() error) error, rt *rtnl.Conn) *Conn { return &Conn{enter: enter, rt: rt} }

// Close closes the socket. Closing twice is no error.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.library == nil {
		return nil
	}
	err := c.library.Close()
	c.library = nil
	return err
}

// do uses the library, alone.
func (c *Conn) do(what string, f func(*gotc.Tc) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return os.ErrClosed
	}
	if c.library == nil {
		if err := c.enter(func() (err error) { c.library, err = gotc.Open(nil); return err }); err != nil {
			return fmt.Errorf("traffic control: %w", rtnl.Translate(err))
		}
	}
	if err := f(c.library); err != nil {
		return fmt.Errorf("%s: %w", what, translate(err))
	}
	return nil
}

// translate is rtnl.Translate, and knows what the library cannot say to the kernel.
func translate(err error) error {
	if errors.Is(err, gotc.ErrNotImplemented) {
		return errors.Join(err, errors.ErrUnsupported)
	}
	return rtnl.Translate(err)
}

func message(index int, parent, handle Handle) gotc.Msg {
	return gotc.Msg{Family: unix.AF_UNSPEC, Ifindex: uint32(index), Parent: uint32(parent), Handle: uint32(handle)}
}

// AddRoot makes htb the root of a link, as 1:, with the class for what no filter puts into another. A root that is not
// the kernel's own is fs.ErrExist.
func (c *Conn) AddRoot(index int, otherwise uint16) error {
	return c.do("qdisc htb", func(t *gotc.Tc) error {
		return t.Qdisc().Add(&gotc.Object{Msg: message(index, Root, MakeHandle(1, 0)), Attribute: gotc.Attribute{
			Kind: "htb",
			Htb:  &gotc.Htb{Init: &gotc.HtbGlob{Version: 3, Rate2Quantum: 10, Defcls: uint32(otherwise)}},
		}})
	})
}

// AddClsact gives a link the place for filters on what comes in. One that is there is fs.ErrExist.
func (c *Conn) AddClsact(index int) error {
	return c.do("qdisc clsact", func(t *gotc.Tc) error {
		return t.Qdisc().Add(&gotc.Object{Msg: message(index, Clsact, MakeHandle(0xffff, 0)), Attribute: gotc.Attribute{Kind: "clsact"}})
	})
}

// SetQueue makes what waits in a class wait in a queue. A queue of that kind that is there is changed, and what is in it stays.
func (c *Conn) SetQueue(index int, class Handle, q Queue) error {
	a := gotc.Attribute{Kind: q.Kind}
	switch q.Kind {
	case "fq_codel":
		packets, interval := uint32(fqPackets), q.Target+fqInterval
		a.FqCodel = &gotc.FqCodel{Limit: &packets, MemoryLimit: &q.Limit, Target: &q.Target, Interval: &interval}
	case "sfq":
		a.Sfq = &gotc.Sfq{V0: gotc.SfqQopt{PerturbPeriod: 10, Limit: q.Limit}}
	case "bfifo":
		a.Bfifo = &gotc.FifoOpt{Limit: q.Limit}
	}
	return c.do("qdisc "+q.Kind, func(t *gotc.Tc) error {
		return t.Qdisc().Replace(&gotc.Object{Msg: message(index, class, 0), Attribute: a})
	})
}

const (
	// fqPackets is how many packets an fq_codel holds.
	fqPackets = 1024
	// fqInterval is how much longer than its target an fq_codel has to find the wait before it drops, in microseconds.
	fqInterval = 95_000
)

// DelQdisc takes a queueing discipline away, htb or clsact, with everything in it.
func (c *Conn) DelQdisc(index int, parent Handle, kind string) error {
	a := gotc.Attribute{Kind: kind}
	if kind == "htb" {
		a.Htb = &gotc.Htb{} // the library wants options also to delete
	}
	return c.do("qdisc "+kind, func(t *gotc.Tc) error {
		return t.Qdisc().Delete(&gotc.Object{Msg: message(index, parent, 0), Attribute: a})
	})
}

// SetClass makes a class of htb, or changes the one there is.
func (c *Conn) SetClass(index int, parent, class Handle, r Rates) error {
	h := &gotc.Htb{Parms: &gotc.HtbOpt{
		Rate:   gotc.RateSpec{Rate: short(r.Rate), Linklayer: ethernet},
		Ceil:   gotc.RateSpec{Rate: short(r.Ceil), Linklayer: ethernet},
		Buffer: r.Buffer, Cbuffer: r.CBuffer, Quantum: r.Quantum,
	}}
	if r.Rate > math.MaxUint32 {
		h.Rate64 = &r.Rate
	}
	if r.Ceil > math.MaxUint32 {
		h.Ceil64 = &r.Ceil
	}
	return c.do("class "+class.String(), func(t *gotc.Tc) error {
		return t.Class().Replace(&gotc.Object{Msg: message(index, parent, class), Attribute: gotc.Attribute{Kind: "htb", Htb: h}})
	})
}

// ethernet is TC_LINKLAYER_ETHERNET: the kernel counts the time of each packet instead of looking into a table.
const ethernet = 1

// short is a rate as far as 32 bits hold it.
func short(rate uint64) uint32 { return uint32(min(rate, math.MaxUint32)) }

// DelClass takes a class away that no filter leads to, with its queue.
func (c *Conn) DelClass(index int, class Handle) error {
	return c.do("class "+class.String(), func(t *gotc.Tc) error {
		return t.Class().Delete(&gotc.Object{Msg: message(index, 0, class)})
	})
}
