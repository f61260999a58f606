// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
)

const workers = 16

// A note is written before something is done and again when it is done.
type note struct {
	// Subject is a guest or a network, and Do what is done with it.
	Subject, Do string
	Done        bool
	// Version is what it becomes.
	Version int
	// Network and Port are where a guest was attached, Link is its device.
	Network, Port, Link string `json:",omitzero"`
}

// What is done with guests, and with networks.
const (
	attach = "attach"
	change = "change"
	detach = "detach"
	look   = "look"
	tell   = "tell"
	start  = "start"
	stop   = "stop"
)

var deeds = []string{attach, change, detach, look, tell, start, stop}

// A worker does one thing after the other, with guests of its own and a network that it looks after.
type worker struct {
	world
	nets   *network.Manager
	number int
	most   int // guests
	chance *rand.Rand
	note   func(note) error
	mine   []*domainiface.Port
	// name is how its guests are called, and made how many there have been.
	name string
	made int
	// version is how often its network was changed.
	version int
}

// work goes on for as long as there is more to do.
func (w *worker) work(ctx context.Context, more func() bool) error {
	for more() {
		n, do := w.choose(ctx)
		if do == nil {
			continue
		}
		if err := w.note(n); err != nil {
			return err
		}
		err := do(&n)
		if err == nil {
			n.Done = true
			err = w.note(n)
		}
		if err != nil {
			return fmt.Errorf("worker %d: %s %s: %w", w.number, n.Do, n.Subject, err)
		}
	}
	return nil
}

// choose says what is next, if anything.
func (w *worker) choose(ctx context.Context) (note, func(*note) error) {
	version := 100 + w.chance.IntN(90_000)
	switch at := w.chance.IntN(12); {
	case at < 4 && len(w.mine) < w.most:
		w.made++
		return note{Subject: fmt.Sprint(w.name, w.made), Do: attach, Version: version}, func(n *note) error { return w.attach(ctx, n) }
	case at < 6 && len(w.mine) > 0:
		p := w.mine[w.chance.IntN(len(w.mine))]
		return note{Subject: p.Guest.Name, Do: change, Version: version}, func(n *note) error { return w.change(ctx, p, n) }
	case at < 8 && len(w.mine) > 0:
		i := w.chance.IntN(len(w.mine))
		p := w.mine[i]
		return note{Subject: p.Guest.Name, Do: detach}, func(*note) error {
			w.mine[i] = w.mine[len(w.mine)-1]
			w.mine = w.mine[:len(w.mine)-1]
			return p.Detach(ctx)
		}
	case at == 8:
		name := nameOf(w.chance.IntN(w.Networks - restarted))
		return note{Subject: name, Do: look}, func(*note) error { return check(ctx, w.nets, name) }
	case at == 9 && w.number < serving:
		w.version++
		return note{Subject: nameOf(w.number), Do: tell, Version: w.version}, func(n *note) error { return w.tell(ctx, n) }
	case at == 10 && w.number >= workers-restarted:
		return w.turn(ctx)
	}
	return note{}, nil
}

// interfaceOf is an interface in a group, whose limits tell its version, on any network.
func (w *worker) interfaceOf(version int, group, guest string) (*domainiface.Interface, error) {
	floor, isolated := "", ""
	switch w.chance.IntN(4) {
	case 0:
		floor = " floor='100'"
	case 1:
		isolated = "<port isolated='yes'/>"
	}
	return domainiface.Parse(strings.NewReader(fmt.Sprintf(`<interface type='network'><source network='%s' portgroup='%s'/>%s%s
<bandwidth><inbound average='%d'%s/></bandwidth><link state='%s'/></interface>`,
		nameOf(w.chance.IntN(w.Networks-restarted)), group, guest, isolated, version, floor, []string{"up", "down"}[w.chance.IntN(2)])))
}

// attach puts a guest of one kind or the other on a network.
func (w *worker) attach(ctx context.Context, n *note) error {
	guest, inside := domainiface.Guest{Name: n.Subject}, ""
	if w.chance.IntN(3) == 0 {
		guest.Namespace, inside = w.Container, fmt.Sprintf("<guest dev='%s'/>", n.Subject)
	}
	i, err := w.interfaceOf(n.Version, []string{"slow", "usual"}[w.chance.IntN(2)], inside)
	if err != nil {
		return err
	}
	p, err := domainiface.Attach(ctx, w.nets, guest, i)
	if err != nil {
		return err
	}
	w.mine = append(w.mine, p)
	return n.tell(p)
}

// change moves a guest to any network, with other limits and another state of its link.
func (w *worker) change(ctx context.Context, p *domainiface.Port, n *note) error {
	inside := ""
	if p.Guest.Namespace != "" {
		inside = fmt.Sprintf("<guest dev='%s'/>", n.Subject)
	}
	i, err := w.interfaceOf(n.Version, string(p.Interface.Source.PortGroup), inside)
	if err != nil {
		return err
	}
	if err := p.Update(ctx, i); err != nil {
		return err
	}
	return n.tell(p)
}

// tell notes what became of a guest.
func (n *note) tell(p *domainiface.Port) error {
	text, err := p.Document.Format()
	n.Network, n.Link, n.Port = p.Network, p.Link, string(text)
	return err
}

// tell gives the worker's network other names or another server, while it runs.
func (w *worker) tell(ctx context.Context, n *note) error {
	doc, err := w.document(w.number, n.Version)
	if err == nil {
		_, err = w.nets.Update(ctx, n.Subject, network.UpdateRequest{Document: doc, Live: true, Config: true, Disruptive: true})
	}
	return err
}

// turn stops the worker's network or starts it.
func (w *worker) turn(ctx context.Context) (note, func(*note) error) {
	n := note{Subject: nameOf(w.Networks - (workers - w.number)), Do: stop}
	do := w.nets.Stop
	if s, err := w.nets.Lookup(ctx, n.Subject); err == nil && !s.Active() {
		n.Do, do = start, w.nets.Start
	}
	return n, func(*note) error { return do(ctx, n.Subject) }
}

// check looks at one network and its ports, on which others work meanwhile; without a name at everything.
func check(ctx context.Context, nets *network.Manager, name string) error {
	drift, err := nets.Repair(ctx, network.RepairRequest{Network: name, DryRun: true})
	if err == nil && len(drift) > 0 {
		err = errors.New("what runs has drifted")
		for _, d := range drift {
			err = fmt.Errorf("%w: %s, missing %s", err, d, d.Missing)
		}
	}
	return err
}
