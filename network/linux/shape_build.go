// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"fmt"
	"slices"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/network/host"
)

// rates are the kernel's numbers for a class of that rate in a tree with that ceiling.
func rates(rate, ceil, burst uint64) tc.Rates {
	r := tc.Rates{Rate: rate * 1000, Ceil: max(rate, ceil) * 1000}
	r.Buffer = tc.Ticks(burst*1024, r.Rate)
	r.CBuffer = tc.Ticks(host.UsualBurst(max(rate, ceil))*1024, r.Ceil)
	// Between two that want more than they were guaranteed, the quantum decides: a hundredth of a second of each.
	r.Quantum = uint32(min(max(r.Rate/100, minQuantum), maxQuantum))
	return r
}

const (
	// minQuantum is a whole frame; with less, everybody sends one frame in turn, whatever the rate.
	minQuantum = 1514
	// maxQuantum keeps one class from making the others wait.
	maxQuantum = 200_000
)

// readLimit is the limit that the numbers of class 1:1 mean.
func readLimit(r tc.Rates) host.Limit {
	if r.Rate == 0 {
		return host.Limit{}
	}
	burst := (tc.Bytes(r.Buffer, r.Rate) + 512) / 1024
	return host.Limit{Rate: r.Rate / 1000, Ceil: r.Ceil / 1000, Burst: min(burst, host.MaxBurst)}
}

// rates are those of all classes of a tree with this limit.
func (t *tree) rates() map[tc.Handle]tc.Rates {
	guaranteed, _ := host.Guaranteed(t.classes)
	all := map[tc.Handle]tc.Rates{
		whole: wholeRates(t.limit),
		rest:  rates(host.Residual(t.limit.Rate, guaranteed), t.limit.Ceil, t.limit.Burst),
	}
	for _, c := range t.classes {
		all[tc.MakeHandle(1, c.ID)] = rates(c.Rate, t.limit.Ceil, host.UsualBurst(c.Rate))
	}
	return all
}

// wholeRates are those of class 1:1. Its quantum is never used, and the kernel does not change it while there are classes
// in it.
func wholeRates(l host.Limit) tc.Rates {
	r := rates(l.Rate, l.Ceil, l.Burst)
	r.Quantum = minQuantum
	return r
}

// build makes a link shaped as wanted, from what was seen of it.
func (b *Backend) build(now *shaped, want host.Shape) error {
	if want.Egress.IsZero() {
		if now.egress.there {
			if err := b.tc.DelQdisc(now.link.Index, tc.Root, "htb"); err != nil {
				return err
			}
		}
	} else if err := b.buildTree(now.link.Index, &now.egress, want.Egress, want.Queue); err != nil {
		return err
	}
	return b.buildIngress(now, want)
}

// buildTree gives a link our root with this limit. Classes stay.
func (b *Backend) buildTree(index int, now *tree, limit host.Limit, queue host.Queue) error {
	if !now.there {
		if err := b.tc.AddRoot(index, rest.Minor()); err != nil {
			return err
		}
	}
	want := tree{limit: limit, queue: queue, classes: now.classes}
	all := want.rates()
	for _, c := range []tc.Handle{whole, rest} {
		if err := b.tc.SetClass(index, parentOf(c), c, all[c]); err != nil {
			return err
		}
	}
	for _, c := range want.classes {
		class := tc.MakeHandle(1, c.ID)
		if err := b.tc.SetClass(index, whole, class, all[class]); err != nil {
			return err
		}
	}
	was := now.queues()
	for class, q := range want.queues() {
		if now.there && len(now.other) == 0 && was[class] == q {
			continue
		}
		if err := b.tc.SetQueue(index, class, q); err != nil {
			return err
		}
	}
	return nil
}

func parentOf(class tc.Handle) tc.Handle {
	if class == whole {
		return root
	}
	return whole
}

// putClass makes or changes a class of a tree, and then what is left for the rest.
func (b *Backend) putClass(now *shaped, c host.Class) error {
	index, t, class := now.link.Index, now.egress, tc.MakeHandle(1, c.ID)
	if err := b.tc.SetClass(index, whole, class, rates(c.Rate, t.limit.Ceil, host.UsualBurst(c.Rate))); err != nil {
		return err
	}
	if err := b.tc.SetQueue(index, class, queueOf(t.queue, c.Rate, t.limit.Ceil)); err != nil {
		return err
	}
	if mac, bpf := t.destination(c.ID); mac != c.MAC || bpf != c.BPF {
		if err := b.tc.AddDestination(index, c.MAC, class, c.BPF); err != nil {
			return err
		}
		for _, f := range t.destinations {
			if f.Class == class && (f.MAC != c.MAC || f.BPF != c.BPF) {
				if err := b.tc.DelFilter(index, root, f); err != nil {
					return err
				}
			}
		}
	}
	others := slices.DeleteFunc(now.classes(), func(d host.Class) bool { return d.ID == c.ID })
	return b.settle(index, t.limit, append(others, c))
}

// takeClass removes a class of a tree and what leads to it, as far as they are there.
func (b *Backend) takeClass(now *shaped, id uint16) error {
	for _, f := range now.egress.destinations {
		if f.Class == tc.MakeHandle(1, id) {
			if err := b.tc.DelFilter(now.link.Index, root, f); err != nil {
				return err
			}
		}
	}
	if now.class(id) != nil {
		if err := b.tc.DelClass(now.link.Index, tc.MakeHandle(1, id)); err != nil {
			return err
		}
	}
	if !now.egress.there {
		return nil
	}
	others := slices.DeleteFunc(now.classes(), func(d host.Class) bool { return d.ID == id })
	return b.settle(now.link.Index, now.egress.limit, others)
}

// settle gives class 1:2 what the guarantees of these classes leave. Afterwards it looks which there are, for another
// process may have changed them in between.
func (b *Backend) settle(index int, limit host.Limit, classes []host.Class) error {
	guaranteed, _ := host.Guaranteed(classes)
	for range settles {
		want := rates(host.Residual(limit.Rate, guaranteed), limit.Ceil, limit.Burst)
		if err := b.tc.SetClass(index, whole, rest, want); err != nil {
			return err
		}
		found, err := b.tc.Classes(index)
		if err != nil {
			return err
		}
		is := uint64(0)
		for _, c := range found {
			if c.Handle.Minor() >= host.MinClass {
				is += c.Rates.Rate / 1000
			}
		}
		if is == guaranteed {
			return nil
		}
		guaranteed = is
	}
	return fmt.Errorf("class %s: %w", rest, rtnl.ErrInterrupted)
}

// settles is how often settle tries.
const settles = 20
