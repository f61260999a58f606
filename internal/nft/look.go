// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/internal/rtnl"
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
	if v.table == nil || err != nil {
		return v, false, err
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
		c, _ := readChain(a.body)
		for l := range lists {
			if c.name == l.chain(network) {
				v.chains[l] = state{there: true, whole: c.kind == ""}
			}
		}
		for i, b := range bases() {
			if c.name == b.name {
				v.bases[i] = state{there: true, whole: c.is(b)}
			}
		}
	}
}

// ruleset reads the whole table, or what there is of some networks and of what all share. The second result is true if it
// changed meanwhile.
func (s *socket) ruleset(networks []string) (set *ruleset, changed bool, err error) {
	set = &ruleset{}
	before, there, err := s.generation(&set.table)
	if err != nil || !there {
		return set, false, err
	}
	var interrupted [3]bool
	if set.elements, interrupted[0], err = s.elements(); err != nil {
		return nil, false, err
	}
	if networks == nil {
		if set.chains, interrupted[1], err = s.chains(); err != nil {
			return nil, false, err
		}
		set.rules, interrupted[2], err = s.rules("")
	} else {
		interrupted[1], err = s.some(set, networks)
	}
	if err != nil {
		return nil, false, err
	}
	after, _, err := s.generation(&set.table)
	return set, before != after || interrupted != [3]bool{}, err
}

// some reads the chains of some networks, and those that all share, with their rules.
func (s *socket) some(set *ruleset, networks []string) (interrupted bool, err error) {
	m := &messages{}
	m.askBases()
	for _, network := range networks {
		for l := range lists {
			m.askChain(l.chain(network))
		}
	}
	err = s.ask(m, func(a answer) {
		if c, ok := readChain(a.body); ok {
			set.chains = append(set.chains, c)
		}
	})
	for _, c := range set.chains {
		rules, changed, failed := s.rules(c.name)
		set.rules = append(set.rules, rules...)
		interrupted = interrupted || changed
		err = errors.Join(err, failed)
	}
	return interrupted, err
}

// generation reads the number of the ruleset's last change, and our table if it is there.
func (s *socket) generation(t *table) (number uint32, there bool, err error) {
	err = s.ask(questions(), func(a answer) {
		switch a.kind {
		case unix.NFT_MSG_NEWGEN:
			number = readGeneration(a.body)
		case unix.NFT_MSG_NEWTABLE:
			*t, there = readTable(a.body), true
		}
	})
	return number, there, err
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

func (s *socket) chains() (chains []chain, interrupted bool, err error) {
	var m messages
	m.listChains()
	interrupted, err = s.all(&m, func(a answer) {
		if c, ok := readChain(a.body); ok {
			chains = append(chains, c)
		}
	})
	return chains, interrupted, err
}

// elements reads all maps.
func (s *socket) elements() (elements []element, interrupted bool, err error) {
	for l := range lists {
		var m messages
		m.listElements(l.String())
		changed, err := s.all(&m, func(a answer) { elements = append(elements, readElements(a.body)...) })
		if err != nil {
			return nil, false, err
		}
		interrupted = interrupted || changed
	}
	return elements, interrupted, nil
}

// rules reads those of a chain, or all of the table if its name is empty.
func (s *socket) rules(chain string) (rules []rule, interrupted bool, err error) {
	var m messages
	m.listRules(chain)
	interrupted, err = s.all(&m, func(a answer) {
		if r, ok := readRuleMessage(a.body); ok {
			rules = append(rules, r)
		}
	})
	return rules, interrupted, err
}

// all reads one list. One that does not exist is empty.
func (s *socket) all(m *messages, take func(answer)) (interrupted bool, err error) {
	var refused error
	interrupted, err = s.list(m, func(a answer) {
		switch {
		case a.body != nil:
			take(a)
		case a.err != nil && !errors.Is(a.err, fs.ErrNotExist):
			refused = fmt.Errorf("%s: %w", m.what[0], a.err)
		}
	})
	return interrupted, errors.Join(err, refused)
}

// commit has the kernel carry out a transaction.
func (s *socket) commit(b *batch) error {
	var refused []error
	done := false
	err := s.exchange(&b.messages, len(b.what)-2, func(a answer) {
		if a.err == nil {
			done = true
			return
		}
		refused = append(refused, fmt.Errorf("%s: %w", b.what[a.message], b.meaning(a)))
	})
	switch {
	case len(refused) > 0:
		return first(refused)
	case err != nil:
		return err
	case !done:
		return errors.New("the kernel did not say whether it changed the ruleset")
	}
	return nil
}

// first is the first error, which usually is why there are others, with their texts.
func first(errs []error) error {
	const most = 4
	err := errs[0]
	for _, other := range errs[1:min(len(errs), most)] {
		err = fmt.Errorf("%w; %v", err, other)
	}
	if more := len(errs) - most; more > 0 {
		err = fmt.Errorf("%w; and %d more", err, more)
	}
	return err
}

// meaning translates where nf_tables uses a number in its own way: what is missing for something new is a part of the
// kernel, since all names it uses were seen or made in the same transaction.
func (b *batch) meaning(a answer) error {
	var e *rtnl.Error
	if errors.As(a.err, &e) && e.Errno == unix.ENOENT && b.what[a.message].adds {
		return fmt.Errorf("the kernel lacks what that needs: %w: %s", errors.ErrUnsupported, e)
	}
	return a.err
}
