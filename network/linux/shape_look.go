// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/network/host"
)

// Our root of a link, the class of everything in it, and of what has no class of its own.
var (
	root  = tc.MakeHandle(1, 0)
	whole = tc.MakeHandle(1, 1)
	rest  = tc.MakeHandle(1, 2)
)

// shapeDevice names the device of kind ifb through which the traffic that a link receives is redirected.
func shapeDevice(link string) string {
	sum := sha256.Sum256([]byte("virtnet shape " + link))
	return "vns-" + strings.ToLower(base32.HexEncoding.EncodeToString(sum[:7]))[:11]
}

// shapeMAC is the address of that device from its first moment.
func shapeMAC(name string) (mac [6]byte) {
	sum := sha256.Sum256([]byte("virtnet address " + name))
	copy(mac[:], sum[:])
	mac[0] = mac[0]&^1 | 2
	return mac
}

// shaped is how a link was seen to be shaped.
type shaped struct {
	name string
	// link has the index 0 if it does not exist.
	link   rtnl.Link
	egress tree
	// device is the ifb, with the index 0 if there is none, and ingress what waits in it.
	device  rtnl.Link
	ingress tree
	// clsact is whether there is a place for filters, and filters are those on what comes in.
	clsact  bool
	filters []tc.Filter
	// limit is what the packet filter lets in; zero is everything.
	limit nft.Limit
}

// A tree is what waits on its way out of a link.
type tree struct {
	// there is whether the root is ours, and foreign what it is if somebody put another one there.
	there   bool
	foreign string
	limit   host.Limit
	queue   host.Queue
	classes []host.Class
	// destinations are the filters that lead to classes.
	destinations []tc.Filter
	// other is what is not as it should be.
	other []string
}

// shape is what was seen, in the form of facts.
func (s *shaped) shape() host.Shape {
	if !s.egress.there && s.device.Index == 0 && s.limit == (nft.Limit{}) && !slices.ContainsFunc(s.filters, s.ours) {
		return host.Shape{}
	}
	shape := host.Shape{Link: s.name, Egress: s.egress.limit, Ingress: s.ingress.limit, Queue: s.egress.queue}
	other := slices.Clone(s.egress.other)
	if s.device.Index != 0 {
		other = append(other, s.received()...)
		shape.Means = host.Redirect
		if shape.Queue == "" {
			shape.Queue = s.ingress.queue
		}
		if shape.Queue != s.ingress.queue {
			other = append(other, fmt.Sprintf("qdisc %s of what is received", s.ingress.queue))
		}
	}
	for _, f := range s.filters {
		shape.BPF = shape.BPF || s.ours(f) && f.BPF
		switch {
		case f.Redirect == tc.Lost:
			other = append(other, "a filter to a link that is gone")
		case f.Police != tc.Police{} && shape.Means != "":
			other = append(other, "a filter that polices")
		case f.Police != tc.Police{}:
			shape.Means, shape.Ingress = host.Police, readPolice(f.Police)
			if f.Other != "" {
				other = append(other, f.Other)
			}
		}
	}
	if s.limit != (nft.Limit{}) {
		if shape.Means != "" {
			other = append(other, "a rule that limits")
		} else {
			shape.Means, shape.Ingress = host.Throttle, readThrottle(s.limit)
		}
		if s.limit.Other != "" {
			other = append(other, s.limit.Other)
		}
	}
	if s.link.Index == 0 {
		other = append(other, "the link is gone")
	}
	shape.Other = strings.Join(other, ", ")
	return shape
}

// received is what is not as it should be with the redirection.
func (s *shaped) received() (other []string) {
	for _, text := range s.ingress.other {
		other = append(other, text+" of what is received")
	}
	if !s.ingress.there {
		other = append(other, "no qdisc of what is received")
	}
	if !s.device.Up {
		other = append(other, "link "+s.device.Name+" down")
	}
	if !slices.ContainsFunc(s.filters, s.redirects) {
		other = append(other, "no filter to link "+s.device.Name)
	}
	return other
}

func (s *shaped) classes() []host.Class { return slices.Clone(s.egress.classes) }

func (s *shaped) class(id uint16) *host.Class {
	for _, c := range s.egress.classes {
		if c.ID == id {
			return &c
		}
	}
	return nil
}

// lookShape looks how one link is shaped, without reading about others.
func (b *Backend) lookShape(name string) (*shaped, error) {
	s := &shaped{name: name}
	found, err := b.rt.LinksNamed(name, shapeDevice(name))
	if err != nil {
		return nil, err
	}
	limits, err := b.nft.Limits(context.Background(), []string{name})
	if err != nil {
		return nil, err
	}
	s.limit = limits[name]
	for _, l := range found {
		switch {
		case l.Name == name && !isShapeDevice(l):
			s.link = l
		case isShapeDevice(l):
			s.device = l
		}
	}
	return s, b.look(s, func(index int) ([]tc.Qdisc, error) { return b.tc.Qdiscs(index, tc.Root, tc.Clsact) })
}

// lookClasses is lookShape without the queues of single classes, of which there may be many, and without what is received.
func (b *Backend) lookClasses(name string) (*shaped, error) {
	s := &shaped{name: name}
	found, err := b.rt.LinksNamed(name)
	if err != nil || len(found) == 0 {
		return s, err
	}
	s.link = found[0]
	qdiscs, err := b.tc.Qdiscs(s.link.Index, tc.Root)
	if err == nil {
		s.egress, err = b.lookTree(name, s.link.Index, qdiscs, false)
	}
	return s, err
}

// look completes what is known of a link. Qdiscs finds at least those at the root of a link and on what comes in.
func (b *Backend) look(s *shaped, qdiscs func(index int) ([]tc.Qdisc, error)) error {
	if s.link.Index != 0 {
		found, err := qdiscs(s.link.Index)
		if err != nil {
			return err
		}
		if s.egress, err = b.lookTree(s.name, s.link.Index, found, true); err != nil {
			return err
		}
		s.clsact = slices.ContainsFunc(found, func(q tc.Qdisc) bool { return q.Parent == tc.Clsact })
		if s.clsact {
			if s.filters, err = b.tc.Filters(s.link.Index, tc.Ingress); err != nil {
				return err
			}
		}
	}
	if s.device.Index == 0 {
		return nil
	}
	found, err := qdiscs(s.device.Index)
	if err == nil {
		s.ingress, err = b.lookTree(s.device.Name, s.device.Index, found, true)
	}
	return err
}

// allShapes looks at all links. What the kernel tells of all at once is asked for once.
func (b *Backend) allShapes() ([]*shaped, error) {
	links, err := b.rt.Links()
	if err != nil {
		return nil, err
	}
	qdiscs, err := b.tc.AllQdiscs()
	if err != nil {
		return nil, err
	}
	byLink := map[int][]tc.Qdisc{}
	for _, q := range qdiscs {
		byLink[q.Index] = append(byLink[q.Index], q)
	}
	all := map[string]*shaped{}
	get := func(name string) *shaped {
		if all[name] == nil {
			all[name] = &shaped{name: name}
		}
		return all[name]
	}
	for _, l := range links {
		switch {
		case isShapeDevice(l) && shapeDevice(l.Alias) == l.Name:
			get(l.Alias).device = l
		case !isShapeDevice(l):
			get(l.Name).link = l
		}
	}
	// One that was cut short before it was told for which link it is.
	for _, l := range links {
		for name, s := range all {
			if isShapeDevice(l) && l.Alias == "" && s.device.Index == 0 && shapeDevice(name) == l.Name {
				s.device = l
			}
		}
	}
	limits, err := b.nft.Limits(context.Background(), nil)
	if err != nil {
		return nil, err
	}
	for name, l := range limits {
		get(name).limit = l
	}
	var found []*shaped
	for _, s := range all {
		if err := b.look(s, func(index int) ([]tc.Qdisc, error) { return byLink[index], nil }); err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, nil
}

// lookTree reads the classes and queues of a link whose root is ours. Qdiscs are some or all of the link. All is whether the
// queues of all classes are wanted; else that of class 1:2 is.
func (b *Backend) lookTree(name string, index int, qdiscs []tc.Qdisc, all bool) (t tree, err error) {
	i := slices.IndexFunc(qdiscs, func(q tc.Qdisc) bool { return q.Parent == tc.Root && q.Handle != 0 })
	if i < 0 {
		return t, nil
	}
	if q := qdiscs[i]; q.Kind != "htb" || q.Handle != root {
		t.foreign = fmt.Sprintf("%s %s", q.Kind, q.Handle)
		return t, nil
	}
	t.there = true
	if qdiscs[i].Default != 2 {
		t.other = append(t.other, fmt.Sprintf("default %x", qdiscs[i].Default))
	}
	classes, err := b.tc.Classes(index)
	if errors.Is(err, fs.ErrNotExist) {
		return tree{}, nil // gone since it was found
	}
	if err != nil {
		return t, err
	}
	places := []tc.Handle{rest}
	for _, c := range classes {
		if all && c.Handle != rest {
			places = append(places, c.Handle)
		}
	}
	queues, err := b.tc.Qdiscs(index, places...)
	if err != nil {
		return t, err
	}
	if t.destinations, err = b.tc.Filters(index, root); err != nil {
		return t, err
	}
	t.read(name, classes, queues)
	return t, nil
}

// read makes sense of the classes, queues and filters of a tree.
func (t *tree) read(name string, classes []tc.Class, queues []tc.Qdisc) {
	is := map[tc.Handle]tc.Rates{}
	for _, c := range classes {
		is[c.Handle] = c.Rates
		if c.Handle.Minor() >= host.MinClass {
			t.classes = append(t.classes, host.Class{Link: name, ID: c.Handle.Minor(), Rate: c.Rates.Rate / 1000})
		}
	}
	all, ok := is[whole]
	if !ok {
		t.other = append(t.other, "no class 1:1")
	}
	t.limit = readLimit(all)
	for _, q := range queues {
		if q.Parent == rest {
			t.queue = host.Queue(q.Kind)
		}
	}
	for i := range t.classes {
		t.classes[i].MAC, t.classes[i].BPF = t.destination(t.classes[i].ID)
	}
	slices.SortFunc(t.classes, func(a, b host.Class) int { return int(a.ID) - int(b.ID) })
	for handle, want := range t.rates() {
		if got, ok := is[handle]; !ok || got != want {
			t.other = append(t.other, fmt.Sprintf("class %s rate %dbps ceil %dbps", handle, got.Rate, got.Ceil))
		}
	}
	for handle, want := range t.queues() {
		if !slices.ContainsFunc(queues, func(q tc.Qdisc) bool { return q.Parent == handle && q.Queue == want }) {
			t.other = append(t.other, fmt.Sprintf("class %s without its queue", handle))
		}
	}
	for _, f := range t.destinations {
		if f.Other != "" {
			t.other = append(t.other, f.Other)
		} else if _, ok := is[f.Class]; !ok {
			t.other = append(t.other, fmt.Sprintf("filter to class %s", f.Class))
		}
	}
	slices.Sort(t.other)
}

// destination is the station whose traffic goes to a class, and whether the filter is of kind bpf.
func (t *tree) destination(id uint16) (mac host.MAC, bpf bool) {
	for _, f := range t.destinations {
		if f.Class == tc.MakeHandle(1, id) && f.Other == "" {
			return f.MAC, f.BPF
		}
	}
	return host.MAC{}, false
}
