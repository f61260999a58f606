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

// look asks for what a change depends on, by name and never for a list of everybody's. Only if everything is wanted it
// reads all elements of the maps, instead of those of the links that the change names.
func (s *socket) look(o host.SetFilter, everything bool) (*view, error) {
	v := &view{}
	links := []string{o.Was.Link}
	if o.Filter.Link != o.Was.Link {
		links = append(links, o.Filter.Link)
	}
	m := questions()
	for _, b := range bases() {
		m.askChain(b.name)
	}
	for l := range lists {
		m.askMap(l.String())
		m.askChain(l.chain(o.Network))
		for _, link := range links {
			if link != "" && !everything {
				m.askElement(l.String(), link)
			}
		}
	}
	use := map[string]uint32{}
	if err := s.ask(m, func(a answer) { v.take(a, o.Network, use) }); err != nil || v.table == nil {
		return v, err
	}
	if err := s.lookAtBases(v, use); err != nil || !everything {
		return v, err
	}
	var err error
	v.elements, _, err = s.elements()
	return v, err
}

// take puts an answer into the view. Use gets the numbers of rules.
func (v *view) take(a answer, network string, use map[string]uint32) {
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
			if l.chain(network) == c.name {
				v.chains[l] = state{there: true, whole: c.kind == ""}
			}
		}
		for i, b := range bases() {
			if c.name == b.name {
				v.bases[i] = state{there: true, whole: c.is(b)}
				use[c.name] = c.use
			}
		}
	}
}

// lookAtBases reads the rules of the chains that the kernel calls, unless their number tells enough.
func (s *socket) lookAtBases(v *view, use map[string]uint32) error {
	for i, b := range bases() {
		if !v.bases[i].whole || use[b.name] != uint32(len(b.leads)) {
			v.bases[i].whole = false
			continue
		}
		rules, _, err := s.rules(b.name)
		if err != nil {
			return err
		}
		var programs [][]expr
		for _, r := range rules {
			programs = append(programs, r.steps)
		}
		v.bases[i].whole = b.leadsBy(programs)
	}
	return nil
}

// ruleset reads the whole table. The second result is true if it changed meanwhile.
func (s *socket) ruleset() (set *ruleset, changed bool, err error) {
	set = &ruleset{}
	before, there, err := s.generation(&set.table)
	if err != nil || !there {
		return set, false, err
	}
	var interrupted [3]bool
	if set.chains, interrupted[0], err = s.chains(); err != nil {
		return nil, false, err
	}
	if set.elements, interrupted[1], err = s.elements(); err != nil {
		return nil, false, err
	}
	if set.rules, interrupted[2], err = s.rules(""); err != nil {
		return nil, false, err
	}
	after, _, err := s.generation(&set.table)
	return set, before != after || interrupted != [3]bool{}, err
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
	err := s.exchange(m, func(a answer) {
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
	err := s.exchange(&b.messages, func(a answer) {
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
