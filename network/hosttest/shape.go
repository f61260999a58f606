// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// everything is what a machine can do about traffic unless it was told otherwise.
func everything() host.Shaping {
	return host.Shaping{
		Queues: []host.Queue{host.FQCoDel, host.SFQ, host.BFIFO},
		Means:  []host.Means{host.Redirect, host.Police, host.Throttle},
	}
}

// shaping is what this machine can do.
func (m *Machine) shaping() host.Shaping {
	if m.Shaping == nil {
		return everything()
	}
	return host.Shaping{Queues: slices.Clone(m.Shaping.Queues), Means: slices.Clone(m.Shaping.Means), NoU32: m.Shaping.NoU32}
}

// DropShape takes a link's shape away with its classes, as "tc qdisc del dev LINK root" does.
func (m *Machine) DropShape(link string) {
	defer m.lock().Unlock()
	m.dropShape(link)
}

func (m *Machine) dropShape(link string) {
	delete(m.shapes, link)
	m.classes = slices.DeleteFunc(m.classes, func(c host.Class) bool { return c.Link == link })
}

func (m *Machine) shapeFacts(scope host.Scope, f *host.Facts) {
	for link, s := range m.shapes {
		if scope.HasShape(link) {
			f.Shapes = append(f.Shapes, s)
		}
	}
	for _, c := range m.classes {
		if scope.HasShape(c.Link) {
			f.Classes = append(f.Classes, c)
		}
	}
	if scope.Shaping {
		f.Shaping = m.shaping()
	}
}

func (m *Machine) setShape(o host.SetShape) error {
	if _, err := m.link(o.Link); err != nil {
		return err
	}
	is, there := m.shapes[o.Link]
	switch {
	case there && o.Was.IsZero():
		return exists("shape of link %s", is)
	case !there && !o.Was.IsZero():
		return missing("shape of link %s", o.Was)
	case there && !o.Shape.IsZero() && is.Equal(o.Shape):
		return nil
	case there && !is.Equal(o.Was):
		return missing("shape of link %s, which has %s", o.Was, is)
	}
	guaranteed, _ := host.Guaranteed(m.classesOf(o.Link))
	if guaranteed > o.Shape.Egress.Ceil {
		return refused("link %s: classes guarantee %d kB/s of %d", o.Link, guaranteed, o.Shape.Egress.Ceil)
	}
	if o.Shape.IsZero() {
		delete(m.shapes, o.Link)
		return nil
	}
	can := m.shaping()
	if o.Shape.Queue != "" && !slices.Contains(can.Queues, o.Shape.Queue) || o.Shape.Means != "" && !slices.Contains(can.Means, o.Shape.Means) {
		return fmt.Errorf("shape %s: the machine has %s: %w", o.Shape, can, errors.ErrUnsupported)
	}
	if can.NoU32 && !o.Shape.BPF && (o.Shape.Means == host.Redirect || o.Shape.Means == host.Police) {
		return fmt.Errorf("shape %s: the machine has no classifier u32: %w", o.Shape, errors.ErrUnsupported)
	}
	m.shapes[o.Link] = o.Shape
	return nil
}

func (m *Machine) addClass(c host.Class) error {
	shape := m.shapes[c.Link]
	if shape.Egress.IsZero() {
		return missing("shape of what link %s sends", c.Link)
	}
	for _, other := range m.classesOf(c.Link) {
		if other.ID == c.ID || other.MAC == c.MAC {
			return exists("class %s", other)
		}
	}
	return m.putClass(c, m.classesOf(c.Link))
}

func (m *Machine) delClass(c host.Class) error {
	i := m.findClass(c)
	if i < 0 {
		return missing("class %s", c)
	}
	m.classes = slices.Delete(m.classes, i, i+1)
	return nil
}

func (m *Machine) setClass(o host.SetClass) error {
	i := m.findClass(o.Was)
	if i < 0 {
		if m.findClass(o.Class) >= 0 {
			i = m.findClass(o.Class)
		} else {
			return missing("class %s", o.Was)
		}
	}
	others := slices.DeleteFunc(m.classesOf(o.Class.Link), func(c host.Class) bool { return c.ID == o.Class.ID })
	for _, other := range others {
		if other.MAC == o.Class.MAC {
			return exists("class %s", other)
		}
	}
	old := m.classes[i]
	m.classes = slices.Delete(m.classes, i, i+1)
	if err := m.putClass(o.Class, others); err != nil {
		m.classes = append(m.classes, old)
		return err
	}
	return nil
}

// putClass adds a class beside others of its link, if the link can hold what all of them guarantee.
func (m *Machine) putClass(c host.Class, others []host.Class) error {
	ceil := m.shapes[c.Link].Egress.Ceil
	if guaranteed, ok := host.Guaranteed(append(others, c)); !ok || guaranteed > ceil {
		return refused("class %s: with the others of the link more than %d kB/s", c, ceil)
	}
	if m.shaping().NoU32 && !c.BPF {
		return fmt.Errorf("class %s: the machine has no classifier u32: %w", c, errors.ErrUnsupported)
	}
	m.classes = append(m.classes, c)
	return nil
}

// findClass finds a class by its link, number and address.
func (m *Machine) findClass(c host.Class) int {
	return slices.IndexFunc(m.classes, func(d host.Class) bool { return d.Link == c.Link && d.ID == c.ID && d.MAC == c.MAC })
}

func (m *Machine) classesOf(link string) []host.Class {
	var classes []host.Class
	for _, c := range m.classes {
		if c.Link == link {
			classes = append(classes, c)
		}
	}
	return classes
}
