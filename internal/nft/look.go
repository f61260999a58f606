// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// glance asks only for what shows whether a filter can be added to a table that is as it should be, or deleted from one,
// and takes for granted what the kernel will refuse if it is not so. The second result is false if that is not enough.
func (s *socket) glance(o host.SetFilter) (v *view, enough bool, err error) {
	adding, deleting := o.Was.IsZero(), o.Filter.IsZero()
	if adding == deleting {
		return nil, false, nil
	}
	v = &view{maps: [lists]bool{true, true, true}}
	m := questions()
	if adding {
		m.askBases()
	} else {
		for l := range lists {
			m.askElement(l.String(), o.Was.Link)
			v.chains[l] = state{true, true}
		}
		v.bases = [2]state{{true, true}, {true, true}}
	}
	err = s.ask(m, func(a answer) { v.take(a, o.Network) })
	if err != nil {
		return nil, false, err
	}
	if v.table == nil {
		return &view{generation: v.generation}, adding, nil
	}
	// If nothing but one filter is left it takes more to know whose it is.
	const shared = uint32(lists) + 2
	return v, v.bases[0].whole && v.bases[1].whole && (adding || v.table.use > shared+uint32(lists)), nil
}

// look asks for all that a change depends on. It is the only one that finds what somebody else did to the table.
func (s *socket) look(network string) (*view, error) {
	v := &view{}
	m := questions()
	m.askBases()
	for l := range lists {
		m.askMap(l.String())
		m.askChain(l.chain(network))
	}
	if err := s.ask(m, func(a answer) { v.take(a, network) }); err != nil || v.table == nil {
		return v, err
	}
	for i, b := range bases() {
		rules, _, err := s.rules(b.name)
		if err != nil {
			return nil, err
		}
		v.bases[i].whole = v.bases[i].whole && b.leadsBy(programs(rules)[b.name])
	}
	var err error
	v.elements, _, err = s.elements()
	return v, err
}

// programs are those of each chain.
func programs(rules []rule) map[string][][]expr {
	all := map[string][][]expr{}
	for _, r := range rules {
		all[r.chain] = append(all[r.chain], r.steps)
	}
	return all
}

// take puts an answer into the view.
func (v *view) take(a answer, network string) {
	switch a.kind {
	case unix.NFT_MSG_NEWGEN:
		v.generation = readGeneration(a.body)
	case unix.NFT_MSG_NEWTABLE:
		t := readTable(a.body)
		v.table = &t
	case unix.NFT_MSG_NEWSET:
		name := readMap(a.body)
		for l := range lists {
			v.maps[l] = v.maps[l] || l.String() == name
		}
	case unix.NFT_MSG_NEWSETELEM:
		v.elements = append(v.elements, readElements(a.body)...)
	case unix.NFT_MSG_NEWCHAIN:
		c, _ := readChain(a.body, Table)
		for l := range lists {
			if c.name == l.chain(network) {
				v.chains[l] = state{there: true, whole: c.kind == ""}
			}
		}
		for i, b := range bases() {
			if c.name == b.name {
				v.bases[i] = state{there: true, whole: c.is(b, len(b.leads))}
			}
		}
	}
}

// questions are those about the generation and the table, which come first.
func questions() *messages {
	m := &messages{}
	m.askGeneration()
	m.askTable()
	return m
}

// ask asks several questions at once. What does not exist has no answer.
func (s *socket) ask(m *messages, take func(answer)) error {
	var refused error
	answers := 0
	err := s.exchange(m, len(m.what)-1, func(a answer) {
		answers++
		switch {
		case a.err == nil:
			take(a)
		case errors.Is(a.err, fs.ErrNotExist) || refused != nil:
		case m.what[a.message] == questionGeneration:
			refused = noTables(a.err)
		default:
			refused = fmt.Errorf("%s: %w", m.what[a.message], a.err)
		}
	})
	if err == nil && refused == nil && answers < len(m.what) {
		return fmt.Errorf("%s: the kernel answered %d of %d questions", m.what[0], answers, len(m.what))
	}
	return errors.Join(err, refused)
}

// noTables is the error of a kernel that does not even know the first question.
func noTables(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return errNoTables
	}
	return err
}
