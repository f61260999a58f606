// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"cmp"
	"sync"
	"time"
)

// Limits are how much the guests of one network can take of this process, whatever they send. A field that is 0 has the number
// that its comment names.
type Limits struct {
	// Packets is how many packets of DHCP are answered in a second, for each of the two families, and how many solicitations of
	// routers. Those beyond that are passed over, as if they had been lost. 10,000.
	Packets int
	// Leases is how many addresses of each family can be given out at a time, if there are as many and the document does not say.
	// 65,536.
	Leases int
	// Offers is how many addresses of each family are kept for a moment for guests that have been told of them. Whoever is told
	// of one when there are more has it if nobody else asks for it first. 1,024.
	Offers int
	// ClientLeases is how many addresses one guest can have, known by its hardware address or DUID, as it gives different
	// identifiers. The address that the document has for it is not counted. 32.
	ClientLeases int
	// Answers is how many answers of other servers are remembered. 1,000.
	Answers int
	// Questions is how many questions by UDP are with other servers at a time, and ClientQuestions how many of them come from one
	// address. Those beyond that are passed over. 300 and 150.
	Questions, ClientQuestions int
	// Conns is how many connections are open at a time, by which questions come, and ClientConns how many of them from one
	// address. Others are closed at once. 64 and 16.
	Conns, ClientConns int
	// Transfers is how many files are read at a time, and ClientTransfers how many of them from one address. Requests beyond that
	// are passed over. 100 and 16.
	Transfers, ClientTransfers int
	// Sockets is how many questions, connections and transfers all networks of an engine have together. 4,096.
	Sockets int
}

// orDefault is with a number in each field.
func (l Limits) orDefault() Limits {
	for field, usual := range map[*int]int{
		&l.Packets: 10_000, &l.Leases: 1 << 16, &l.Offers: 1024, &l.ClientLeases: 32, &l.Answers: 1000,
		&l.Questions: 300, &l.ClientQuestions: 150, &l.Conns: 64, &l.ClientConns: 16, &l.Transfers: 100, &l.ClientTransfers: 16,
		&l.Sockets: 4096,
	} {
		*field = cmp.Or(*field, usual)
	}
	return l
}

// A share parts something among those who want it: most for all of them, and each for one. It may be used by many goroutines.
type share[K comparable] struct {
	most, each int

	mu  sync.Mutex
	all int
	of  map[K]int
}

// take reports whether one may have one more, which is his until he gives it back.
func (s *share[K]) take(who K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.most || s.of[who] >= s.each {
		return false
	}
	if s.of == nil {
		s.of = map[K]int{}
	}
	s.all++
	s.of[who]++
	return true
}

func (s *share[K]) give(who K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[who]--; s.of[who] == 0 {
		delete(s.of, who)
	}
}

// A pace lets through as many as rate in a second, and in each moment as many as have been saved up for a tenth of one. It is
// not for use by several goroutines at a time.
type pace struct {
	rate  int
	saved float64
	last  time.Time
}

// allows reports whether one more is let through.
func (p *pace) allows(now time.Time) bool {
	most := max(1, float64(p.rate)/10)
	if p.last.IsZero() {
		p.saved = most
	} else if passed := now.Sub(p.last); passed > 0 {
		p.saved = min(most, p.saved+passed.Seconds()*float64(p.rate))
	}
	p.last = now
	if p.saved < 1 {
		return false
	}
	p.saved--
	return true
}
