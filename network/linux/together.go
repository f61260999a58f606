// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Joiner = (*Backend)(nil)

// DoTogether makes a link and all that becomes of it in as few messages as the kernel takes; see [host.Joiner].
func (b *Backend) DoTogether(ctx context.Context, ops []host.Op) (done int, err error) {
	n, done := birthOf(ops)
	if done < 2 {
		return 0, nil
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for _, op := range ops[:done] {
		if err := errors.Join(op.Check(), b.pass(op)); err != nil {
			return 0, err
		}
	}
	if err := b.bear(ops[0], n); err != nil {
		if !explained(err) { // it may be there, or a part of it
			err = errors.Join(err, ignoreMissing(b.do(context.WithoutCancel(ctx), ops[0].Inverse())))
		}
		return 0, err
	}
	return done, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A birth is what becomes of a link in the message that finishes it. The zero birth leaves it down and alone.
type birth struct {
	// silent is a parameter that keeps IPv6 away; its zero value is none.
	silent host.SetSysctl
	// bridge is what the link is a port of; empty is none.
	bridge string
	up     bool
}

// birthOf finds out how many of the first operations are about a link that the very first makes, and that the kernel takes together.
// It switches a link on before it keeps from making up an address there, so only one that has no IPv6 by then is switched
// on in the same message.
func birthOf(ops []host.Op) (n birth, count int) {
	link := ""
	switch op := first[host.Op](ops).(type) {
	case host.AddTap:
		link = op.Link
	case host.AddVeth:
		link = op.Link
	case host.AddMacvtap:
		link = op.Link
	}
	if link == "" {
		return n, 0
	}
	rest := ops[1:]
	if set := first[host.SetSysctl](rest); set.Key == "net/ipv6/conf/"+link+"/disable_ipv6" && set.Value == "1" {
		n.silent, rest = set, rest[1:]
	}
	if plug := first[host.Plug](rest); plug.Link == link && plug == (host.Plug{Link: link, Bridge: plug.Bridge}) {
		n.bridge, rest = plug.Bridge, rest[1:]
	}
	if up := first[host.SetUp](rest); up.Link == link && n.silent.Key != "" {
		n.up, rest = true, rest[1:]
	}
	return n, len(ops) - len(rest)
}

// first is the first of some operations if it is of this kind, and the zero value if not.
func first[T host.Op](ops []host.Op) (op T) {
	if len(ops) > 0 {
		op, _ = ops[0].(T)
	}
	return op
}

// bear makes a link, with all that becomes of it.
func (b *Backend) bear(op host.Op, n birth) error {
	switch op := op.(type) {
	case host.AddTap:
		return b.addTap(op, n)
	case host.AddVeth:
		return b.addVeth(op, n)
	case host.AddMacvtap:
		return b.addMacvtap(op, n)
	}
	return fmt.Errorf("operation %T: %w", op, errors.ErrUnsupported)
}

// raise gives a link that was just made what the kernel does not take in the message that makes it, and brings it to what
// becomes of it.
func (b *Backend) raise(link string, change rtnl.Change, n birth) error {
	if n.bridge != "" {
		index, kind, err := b.kind(n.bridge)
		if err == nil && kind != host.Bridge {
			err = fmt.Errorf("bridge %s: %w", n.bridge, fs.ErrNotExist)
		}
		if err != nil {
			return err
		}
		change.Master = index
	}
	if n.silent.Key != "" {
		if err := b.setSysctl(n.silent); err != nil {
			return err
		}
	}
	change.Up = n.up
	return b.setSilent(link, change)
}

// kind is the index and the kind of a link. Whatever has an index is of the same kind as long as it lives, so the kernel is asked
// for that once: its answer is long.
func (b *Backend) kind(link string) (index int, kind host.Kind, err error) {
	if index, err = b.rt.Index(link); err != nil {
		return 0, "", err
	}
	if known, ok := b.kinds.Load(index); ok {
		return index, known.(host.Kind), nil
	}
	l, err := b.rt.Link(link)
	if err != nil {
		return 0, "", err
	}
	b.kinds.Store(l.Index, kindOf(l))
	return l.Index, kindOf(l), nil
}
