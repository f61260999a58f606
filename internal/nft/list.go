// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// ruleset reads the whole table, or what there is of some networks and of what all share. The second result is true if it
// changed meanwhile.
func (s *socket) ruleset(networks []string) (set *ruleset, changed bool, err error) {
	set = &ruleset{}
	before, there, err := s.generation(&set.table)
	if err != nil || !there {
		return set, false, err
	}
	var interrupted [4]bool
	for i := range set.annexes {
		var changed bool
		if set.annexes[i], changed, err = s.annex(i); err != nil {
			return nil, false, err
		}
		interrupted[3] = interrupted[3] || changed
	}
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
	return set, before != after || interrupted != [4]bool{}, err
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
		if c, ok := readChain(a.body, Table); ok {
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

func (s *socket) chains() (chains []chain, interrupted bool, err error) {
	var m messages
	m.listChains()
	interrupted, err = s.all(&m, func(a answer) {
		if c, ok := readChain(a.body, Table); ok {
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
		if r, ok := readRuleMessage(a.body, Table); ok {
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
