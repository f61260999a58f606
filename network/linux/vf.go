// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// vfs is what the kernel does about the virtual functions of a card, by the index of that.
type vfs interface {
	VFs(card int) ([]rtnl.VF, error)
	SetVF(card, number int, change rtnl.VFChange) error
}

// vfFacts adds to functions what their cards do for them, and returns the names of the cards.
func (b *Backend) vfFacts(scope host.Scope, functions []host.Function) (cards []string, err error) {
	byCard := map[string]map[int]*host.Function{}
	for i := range functions {
		fn := &functions[i]
		if fn.PF == "" || !slices.Contains(scope.VFs, fn.PCI) {
			continue
		}
		if byCard[fn.PF] == nil {
			byCard[fn.PF] = map[int]*host.Function{}
			cards = append(cards, fn.PF)
		}
		byCard[fn.PF][fn.Index] = fn
	}
	for _, card := range cards {
		if err := b.vfFactsOf(card, byCard[card]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return cards, nil
}

func (b *Backend) vfFactsOf(card string, functions map[int]*host.Function) error {
	l, err := b.rt.Link(card)
	if err != nil {
		return err
	}
	seen, err := b.vfs.VFs(l.Index)
	if err != nil {
		return err
	}
	for _, v := range seen {
		if fn := functions[v.Index]; fn != nil {
			fn.VF = vfFact(v)
		}
	}
	for _, fn := range functions {
		if fn.Link == "" {
			continue
		}
		l, err := b.rt.Link(fn.Link)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		fn.Fixed = l.Permanent != [6]byte{} && !b.madeUp(fn)
	}
	return nil
}

// madeUp reports whether sysfs says that a driver made up the address of a function. Some drivers call such a one permanent.
func (b *Backend) madeUp(fn *host.Function) bool {
	const random = "1\n" // NET_ADDR_RANDOM
	how, err := os.ReadFile(filepath.Join(sysfs{root: b.sys}.dir(fn.PCI), "net", fn.Link, "addr_assign_type"))
	return err == nil && string(how) == random
}

// vfStates are the words for what a function sees of the wire.
var vfStates = map[uint32]string{rtnl.VFAuto: "", rtnl.VFUp: host.StateUp, rtnl.VFDown: host.StateDown}

func vfFact(v rtnl.VF) host.VF {
	fact := host.VF{
		MAC: v.MAC, VLAN: int(v.VLAN.ID), QoS: int(v.VLAN.QoS), Trust: toggleFact(v.Trust), SpoofCheck: toggleFact(v.SpoofCheck),
		State: vfStates[v.State], MinRate: int(v.Rate.Min), MaxRate: int(v.Rate.Max),
	}
	if v.VLAN.ID != 0 && v.VLAN.Proto == unix.ETH_P_8021AD {
		fact.Proto = host.ServiceTag
	}
	return fact
}

func toggleFact(on *bool) host.Toggle {
	switch {
	case on == nil:
		return host.Unknown
	case *on:
		return host.On
	}
	return host.Off
}

// setFunction changes one setting after the other, as the kernel does. One that it refuses has those before it put back, and
// so has a driver that does not start again.
func (b *Backend) setFunction(ctx context.Context, o host.SetFunction) error {
	f, err := b.Facts(ctx, o.Scope())
	if err != nil {
		return err
	}
	if err := o.Refusal(f); err != nil {
		return err
	}
	fn := f.Function(o.PCI)
	if fn.PF == "" {
		return fmt.Errorf("function %s has no card with a network device here: %w", o.PCI, errors.ErrUnsupported)
	}
	card, err := b.rt.Link(fn.PF)
	if err != nil {
		return err
	}
	to := o.Next(fn.VF)
	if !o.Restarts(f) {
		return b.setVFs(card.Index, fn, to)
	}
	err = b.startAnew(ctx, card.Index, fn, to, o.Restart)
	if err != nil && fn.Driver == o.Restart.Name {
		was := o.Restart
		was.MAC = o.Was.MAC
		now := *fn
		now.VF = to
		err = errors.Join(err, b.startAnew(context.WithoutCancel(ctx), card.Index, &now, fn.VF, was))
	}
	return err
}

// startAnew changes the settings of a function while no driver has it.
func (b *Backend) startAnew(ctx context.Context, card int, fn *host.Function, to host.VF, driver host.Driver) error {
	if err := b.rebind(ctx, sysfs{root: b.sys}.function(fn.PCI, "", 0), ""); err != nil {
		return err
	}
	if err := b.setVFs(card, fn, to); err != nil {
		return err
	}
	return b.give(ctx, fn.PCI, driver)
}

// setVFs changes one setting of a function after the other.
func (b *Backend) setVFs(card int, fn *host.Function, to host.VF) error {
	forth, back := vfChanges(fn.VF, to), vfChanges(to, fn.VF)
	for i, change := range forth {
		err := b.setVF(card, fn.Index, change)
		if err == nil {
			continue
		}
		err = fmt.Errorf("function %d of %s: %w", fn.Index, fn.PF, err)
		for _, change := range slices.Backward(back[:i]) {
			err = errors.Join(err, b.setVF(card, fn.Index, change))
		}
		return err
	}
	return nil
}

// noAddress takes the place of no address on cards that want one.
var noAddress = [6]byte{0: 2}

func (b *Backend) setVF(card, number int, change rtnl.VFChange) error {
	err := b.vfs.SetVF(card, number, change)
	if errors.Is(err, unix.EINVAL) && change.MAC != nil && *change.MAC == [6]byte{} {
		change.MAC = &noAddress
		err = b.vfs.SetVF(card, number, change)
	}
	return err
}

// vfChanges are the changes by which one set of settings becomes another, in the order of [host.VF].
func vfChanges(from, to host.VF) []rtnl.VFChange {
	var changes []rtnl.VFChange
	if from.MAC != to.MAC {
		mac := [6]byte(to.MAC)
		changes = append(changes, rtnl.VFChange{MAC: &mac})
	}
	if from.VLAN != to.VLAN || from.QoS != to.QoS || from.Proto != to.Proto {
		vlan := rtnl.VFVLAN{ID: uint32(to.VLAN), QoS: uint32(to.QoS)}
		if to.Proto != "" {
			vlan.Proto = unix.ETH_P_8021AD
		}
		changes = append(changes, rtnl.VFChange{VLAN: &vlan})
	}
	if from.MinRate != to.MinRate || from.MaxRate != to.MaxRate {
		changes = append(changes, rtnl.VFChange{Rate: &rtnl.VFRate{Min: uint32(to.MinRate), Max: uint32(to.MaxRate)}})
	}
	if from.SpoofCheck != to.SpoofCheck {
		on := to.SpoofCheck == host.On
		changes = append(changes, rtnl.VFChange{SpoofCheck: &on})
	}
	if from.State != to.State {
		for state, word := range vfStates {
			if word == to.State {
				changes = append(changes, rtnl.VFChange{State: &state})
			}
		}
	}
	if from.Trust != to.Trust {
		on := to.Trust == host.On
		changes = append(changes, rtnl.VFChange{Trust: &on})
	}
	return changes
}
