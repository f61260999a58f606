// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) setShape(o host.SetShape) error {
	unlock, err := b.lockShapes(toChange)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := b.lookShape(o.Link)
	if err != nil {
		return err
	}
	done, err := b.checkShape(o, now)
	if done || err != nil {
		return err
	}
	if now.link.Index == 0 {
		return b.dropShape(o.Link)
	}
	if err := b.build(now, o.Shape); err != nil {
		return errors.Join(fmt.Errorf("shape of %s: %w", o.Link, err), b.rebuild(o.Link, now.shape()))
	}
	return nil
}

// checkShape compares what there is with what an operation replaces. Done is whether there is nothing to do.
func (b *Backend) checkShape(o host.SetShape, now *shaped) (done bool, err error) {
	is := now.shape()
	there := !is.IsZero()
	switch {
	case now.link.Index == 0 && (!there || !o.Shape.IsZero()):
		return false, fmt.Errorf("link %s: %w", o.Link, fs.ErrNotExist)
	case there && o.Was.IsZero():
		return false, fmt.Errorf("shape of link %s: %w", is, fs.ErrExist)
	case !there && !o.Was.IsZero():
		return false, fmt.Errorf("shape of link %s: %w", o.Was, fs.ErrNotExist)
	case now.egress.foreign != "" && !o.Shape.Egress.IsZero():
		return false, fmt.Errorf("link %s has a queueing discipline of somebody else, %s: %w", o.Link, now.egress.foreign, fs.ErrExist)
	case there && !o.Shape.IsZero() && is.Equal(o.Shape):
		return true, nil
	case there && is.Other == "" && !is.Equal(o.Was):
		return false, fmt.Errorf("shape of link %s, which has %s: %w", o.Was, is, fs.ErrNotExist)
	}
	if guaranteed, _ := host.Guaranteed(now.classes()); guaranteed > o.Shape.Egress.Ceil {
		return false, fmt.Errorf("link %s: classes guarantee %d kB/s of %d: %w", o.Link, guaranteed, o.Shape.Egress.Ceil, fs.ErrInvalid)
	}
	return false, b.canShape(o.Shape)
}

// canShape refuses what this kernel cannot do, before anything is made.
func (b *Backend) canShape(s host.Shape) error {
	if s.IsZero() {
		return nil
	}
	can, err := b.shaping()
	if err != nil {
		return err
	}
	if s.Queue != "" && !slices.Contains(can.Queues, s.Queue) || s.Means != "" && !slices.Contains(can.Means, s.Means) {
		return fmt.Errorf("shape %s: the kernel has %s: %w", s, can, errors.ErrUnsupported)
	}
	if can.NoU32 && !s.BPF && (s.Means == host.Redirect || s.Means == host.Police) {
		return fmt.Errorf("shape %s: the kernel has no classifier u32: %w", s, errors.ErrUnsupported)
	}
	return nil
}

// rebuild puts back what was there before a change that failed half way. What was not whole is taken away.
func (b *Backend) rebuild(link string, was host.Shape) error {
	now, err := b.lookShape(link)
	if err != nil {
		return err
	}
	if was.Other != "" {
		was = host.Shape{}
	}
	if err := b.build(now, was); err != nil {
		return fmt.Errorf("shape of %s, as it was: %w", link, err)
	}
	return nil
}

// shapeFacts looks how links are shaped.
func (b *Backend) shapeFacts(scope host.Scope, f *host.Facts) (err error) {
	if scope.Shaping {
		if f.Shaping, err = b.shaping(); err != nil {
			return err
		}
	}
	if !scope.All && len(scope.Shapes) == 0 {
		return nil
	}
	unlock, err := b.lockShapes(toLook)
	if err != nil {
		return err
	}
	defer unlock()
	var found []*shaped
	if scope.All {
		found, err = b.allShapes()
	} else {
		for _, name := range distinct(scope.Shapes) {
			var s *shaped
			if s, err = b.lookShape(name); err != nil {
				break
			}
			found = append(found, s)
		}
	}
	if err != nil {
		return err
	}
	for _, s := range found {
		if shape := s.shape(); !shape.IsZero() {
			f.Shapes = append(f.Shapes, shape)
		}
		f.Classes = append(f.Classes, s.classes()...)
	}
	return nil
}

// distinct are the names that a link can have, each once.
func distinct(names []string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return host.CheckName(name) != nil })
	slices.Sort(names)
	return slices.Compact(names)
}

func (b *Backend) addClass(c host.Class) error {
	unlock, err := b.lockShapes(toChange)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := b.lookShaped(c.Link)
	if err != nil {
		return err
	}
	for _, other := range now.classes() {
		if other.ID == c.ID || other.MAC == c.MAC {
			return fmt.Errorf("class %s: %w", other, fs.ErrExist)
		}
	}
	if err := now.canHold(append(now.classes(), c)); err != nil {
		return err
	}
	if err := b.putClass(now, c); err != nil {
		return errors.Join(fmt.Errorf("class %s: %w", c, err), b.takeOut(c))
	}
	return nil
}

func (b *Backend) delClass(c host.Class) error {
	unlock, err := b.lockShapes(toChange)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := b.lookClasses(c.Link)
	if err != nil {
		return err
	}
	if is := now.class(c.ID); is == nil || is.MAC != c.MAC && !is.MAC.IsZero() {
		return fmt.Errorf("class %s: %w", c, fs.ErrNotExist)
	}
	if err := b.takeClass(now, c.ID); err != nil {
		return errors.Join(fmt.Errorf("class %s: %w", c, err), b.putBack(*now.class(c.ID)))
	}
	return nil
}

func (b *Backend) setClass(o host.SetClass) error {
	unlock, err := b.lockShapes(toChange)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := b.lookShaped(o.Class.Link)
	if err != nil {
		return err
	}
	is := now.class(o.Class.ID)
	if is == nil || is.MAC != o.Was.MAC && is.MAC != o.Class.MAC && !is.MAC.IsZero() {
		return fmt.Errorf("class %s: %w", o.Was, fs.ErrNotExist)
	}
	others := slices.DeleteFunc(now.classes(), func(c host.Class) bool { return c.ID == o.Class.ID })
	for _, other := range others {
		if other.MAC == o.Class.MAC {
			return fmt.Errorf("class %s: %w", other, fs.ErrExist)
		}
	}
	if err := now.canHold(append(others, o.Class)); err != nil {
		return err
	}
	if err := b.putClass(now, o.Class); err != nil {
		return errors.Join(fmt.Errorf("class %s: %w", o.Class, err), b.putBack(*is))
	}
	return nil
}

// takeOut removes what there is of a class that could not be made.
func (b *Backend) takeOut(c host.Class) error {
	now, err := b.lookClasses(c.Link)
	if err != nil {
		return err
	}
	return b.takeClass(now, c.ID)
}

// putBack makes a class as it was before a change that failed. One that led nowhere stays as it is.
func (b *Backend) putBack(c host.Class) error {
	now, err := b.lookShaped(c.Link)
	if err != nil || c.MAC.IsZero() {
		return err
	}
	return b.putClass(now, c)
}

// lookShaped is lookClasses of a link whose egress is shaped. Any other is fs.ErrNotExist.
func (b *Backend) lookShaped(link string) (*shaped, error) {
	now, err := b.lookClasses(link)
	if err != nil {
		return nil, err
	}
	if now.link.Index == 0 || now.egress.limit.IsZero() {
		return nil, fmt.Errorf("shape of what link %s sends: %w", link, fs.ErrNotExist)
	}
	return now, nil
}

// canHold refuses more guarantees than the link can keep.
func (s *shaped) canHold(classes []host.Class) error {
	ceil := s.egress.limit.Ceil
	if sum, ok := host.Guaranteed(classes); !ok || sum > ceil {
		return fmt.Errorf("classes of link %s guarantee more than %d kB/s: %w", s.name, ceil, fs.ErrInvalid)
	}
	return nil
}

// dropShape removes what the shape of a link that is gone leaves behind.
func (b *Backend) dropShape(link string) error { return b.dropShapeBy(link, b.delShapeLink) }

// dropShapeBy is dropShape with a way to remove the device through which traffic was redirected.
func (b *Backend) dropShapeBy(link string, remove func(rtnl.Link) error) error {
	return errors.Join(b.withShapeDevice(link, remove), b.nft.SetLimit(context.Background(), link, nft.Limit{}))
}

// delShapeDevice removes the device through which the traffic of a link was redirected. None is no error.
func (b *Backend) delShapeDevice(link string) error { return b.withShapeDevice(link, b.delShapeLink) }

func (b *Backend) delShapeLink(l rtnl.Link) error {
	if err := b.rt.DelLink(l.Index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link %s: %w", l.Name, err)
	}
	return nil
}

// withShapeDevice does something with the device through which the traffic of a link is redirected, if there is one.
func (b *Backend) withShapeDevice(link string, do func(rtnl.Link) error) error {
	found, err := b.rt.LinksNamed(shapeDevice(link))
	if err != nil || len(found) == 0 || !isShapeDevice(found[0]) {
		return err
	}
	return do(found[0])
}

// isShapeDevice knows the devices that belong to a shape by their kind, and by an address that follows from the name.
func isShapeDevice(l rtnl.Link) bool { return l.Kind == "ifb" && l.MAC == shapeMAC(l.Name) }
