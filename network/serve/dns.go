// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"errors"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// plainUDP is how long an answer by UDP may be for a client that says nothing of it, and mostUDP for any other: RFC 6891,
	// and what passes everywhere without fragments.
	plainUDP = 512
	mostUDP  = 1232
)

// A question is what a client of DNS asks, with as much of its packet as matters.
type question struct {
	header dnsmessage.Header
	dnsmessage.Question
	// edns is whether the client speaks EDNS, and size how long an answer by UDP may be.
	edns bool
	size int
	// proof is whether the client asks for signatures: the bit DO of RFC 3225.
	proof bool
	// ours is whether the answer is by the one who knows.
	ours bool
	// room is where the answer may be written to; nil makes room for it.
	room []byte
}

// space is where an answer is written to.
func (q question) space() []byte {
	if q.room != nil {
		return q.room[:0]
	}
	return make([]byte, 0, plainUDP)
}

// readQuestion reads a packet. What is no question is not ok, and gets no answer: it could be one, and two servers would
// talk to each other for ever.
func readQuestion(packet []byte) (q question, ok bool) {
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil || header.Response {
		return q, false
	}
	q.header, q.size = header, plainUDP
	if q.Question, err = p.Question(); err != nil {
		return q, false
	}
	if p.SkipAllQuestions() != nil || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return q, false
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return q, errors.Is(err, dnsmessage.ErrSectionDone)
		}
		if h.Type == dnsmessage.TypeOPT {
			q.edns, q.size = true, min(max(int(h.Class), plainUDP), mostUDP)
			q.proof = h.DNSSECAllowed()
		}
		if p.SkipAdditional() != nil {
			return q, false
		}
	}
}

// decide is what is known here of a question. If it is not done others have to be asked.
func (n *names) decide(q question, keepPlain bool) (code dnsmessage.RCode, found []record, ask route, done bool) {
	code, found, ask, done = n.judge(q, keepPlain)
	for i := range found {
		found[i].ttl = n.ttl
	}
	return code, found, ask, done
}

func (n *names) judge(q question, keepPlain bool) (code dnsmessage.RCode, found []record, ask route, done bool) {
	if q.header.OpCode != 0 || q.Class != dnsmessage.ClassINET {
		return dnsmessage.RCodeNotImplemented, nil, route{}, true
	}
	name := canonical(q.Name.String())
	found, known := n.find(name, q.Type)
	if known {
		return dnsmessage.RCodeSuccess, found, route{}, true
	}
	ask = n.whom(name, q.Type, keepPlain)
	if bodies := addressBodies(ask.addrs, q.Type); len(bodies) > 0 {
		return dnsmessage.RCodeSuccess, records(bodies...), route{}, true
	}
	if !ask.local {
		return 0, nil, ask, false
	}
	switch {
	case n.exists(name):
		return dnsmessage.RCodeSuccess, nil, route{}, true // there is nothing of this type
	case name == n.domain && ask.domain == n.domain:
		return dnsmessage.RCodeSuccess, nil, route{}, true // there are names below it
	case ask.domain == "" && !ask.plain:
		return dnsmessage.RCodeRefused, nil, route{}, true
	}
	return dnsmessage.RCodeNameError, nil, ask, true
}

// exists reports whether a name has any record here.
func (n *names) exists(name string) bool {
	_, addrs := n.known(name)
	_, txt := n.txt[name]
	_, srv := n.srv[name]
	_, texts := n.texts[name]
	_, alias := n.aliases[name]
	return addrs || txt || srv || texts || alias
}

// reply writes an answer of our own. An answer that is too long for size, if that is not 0, is cut off and says so.
func (q question) reply(code dnsmessage.RCode, found []record, size int) ([]byte, error) {
	q.ours = q.ours || code == dnsmessage.RCodeSuccess
	packet, err := q.pack(code, found, false)
	if err == nil && size > 0 && len(packet) > size {
		return q.pack(code, nil, true)
	}
	return packet, err
}

func (q question) pack(code dnsmessage.RCode, found []record, cut bool) ([]byte, error) {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: q.header.ID, Response: true, OpCode: q.header.OpCode, Authoritative: q.ours,
			Truncated: cut, RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true, RCode: code,
		},
		Questions: []dnsmessage.Question{q.Question},
	}
	for _, r := range found {
		answer, err := r.resource(q)
		if err != nil {
			return nil, err
		}
		if r.more {
			m.Additionals = append(m.Additionals, answer)
		} else {
			m.Answers = append(m.Answers, answer)
		}
	}
	if q.edns {
		var opt dnsmessage.ResourceHeader
		if err := opt.SetEDNS0(mostUDP, code, false); err != nil {
			return nil, err
		}
		m.Additionals = append(m.Additionals, dnsmessage.Resource{Header: opt, Body: &dnsmessage.OPTResource{}})
	}
	return m.AppendPack(q.space())
}
