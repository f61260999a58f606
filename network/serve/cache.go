// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// mostTime is for how long an answer is remembered at most.
const mostTime = time.Hour

// A cache remembers answers of others as long as they say. It may be used by many goroutines.
type cache struct {
	mu sync.Mutex
	// most is how many answers are remembered.
	most    int
	entries map[cacheKey]cacheEntry
}

// A cacheKey is what decides about an answer: the question, and what the client wants to know of its proof.
type cacheKey struct {
	name     string
	kind     dnsmessage.Type
	edns     bool
	proof    bool
	unproved bool
}

type cacheEntry struct {
	message dnsmessage.Message
	stored  time.Time
	until   time.Time
}

func (q question) key() cacheKey {
	return cacheKey{name: canonical(q.Name.String()), kind: q.Type, edns: q.edns, proof: q.proof, unproved: q.header.CheckingDisabled}
}

// get returns the answer to a question with its number, as old as it is, and nil for none.
func (c *cache) get(q question, key cacheKey, now time.Time) []byte {
	c.mu.Lock()
	e, ok := c.entries[key]
	if ok && !now.Before(e.until) {
		delete(c.entries, key)
		ok = false
	}
	c.mu.Unlock()
	if !ok {
		return nil
	}
	m, age := e.message, uint32(now.Sub(e.stored)/time.Second)
	m.Header.ID, m.Header.RecursionDesired = q.header.ID, q.header.RecursionDesired
	m.Questions = []dnsmessage.Question{q.Question}
	m.Answers, m.Authorities, m.Additionals = aged(m.Answers, age), aged(m.Authorities, age), aged(m.Additionals, age)
	for i := range m.Answers {
		if h := &m.Answers[i].Header; canonical(h.Name.String()) == key.name {
			h.Name = q.Name // in the letters of who asks
		}
	}
	packet, err := m.AppendPack(q.space())
	if err != nil {
		return nil
	}
	return packet
}

// aged are records some seconds later.
func aged(list []dnsmessage.Resource, age uint32) []dnsmessage.Resource {
	later := make([]dnsmessage.Resource, len(list))
	copy(later, list)
	for i := range later {
		if h := &later[i].Header; h.Type != dnsmessage.TypeOPT {
			h.TTL -= min(h.TTL, age)
		}
	}
	return later
}

// put remembers an answer, if it is one that may be remembered.
func (c *cache) put(key cacheKey, answer []byte, now time.Time) {
	var m dnsmessage.Message
	if m.Unpack(answer) != nil || m.Truncated || len(m.Questions) != 1 {
		return
	}
	time, ok := lifetime(&m)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[cacheKey]cacheEntry{}
	}
	if c.most == 0 {
		return
	}
	for old := range c.entries {
		if len(c.entries) < c.most {
			break
		}
		delete(c.entries, old) // any one: a map begins anywhere
	}
	key.name = strings.Clone(key.name)
	c.entries[key] = cacheEntry{message: m, stored: now, until: now.Add(time)}
}

// limit forgets everything, and remembers from now on at most so many answers.
func (c *cache) limit(most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.most = most
}

// lifetime is for how long an answer may be remembered: that of the record that ends first, or what the zone says of names
// that it has not, RFC 2308.
func lifetime(m *dnsmessage.Message) (time.Duration, bool) {
	if m.RCode != dnsmessage.RCodeSuccess && m.RCode != dnsmessage.RCodeNameError {
		return 0, false
	}
	least, ok := uint32(mostTime/time.Second), false
	for _, r := range m.Answers {
		least, ok = min(least, r.Header.TTL), true
	}
	if m.RCode == dnsmessage.RCodeNameError {
		ok = false
	}
	for _, r := range m.Authorities {
		if soa, is := r.Body.(*dnsmessage.SOAResource); is && !ok {
			least, ok = min(least, r.Header.TTL, soa.MinTTL), true
		}
	}
	return time.Duration(least) * time.Second, ok && least > 0
}
