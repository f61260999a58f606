// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// A book says who holds which address of a server. It is not for use by several goroutines at a time. No address is held
// twice in it, and what a static host is to have is held by nobody else.
type book struct {
	// most is how many addresses can be held at a time, mostOffers how many of them by those who have not asked for them yet,
	// and mostOf how many by one owner.
	most, mostOffers, mostOf int

	fixed map[netip.Addr]bool
	at    map[netip.Addr]*holding
	of    map[string]*holding
	// cards are the holdings of clients with a hardware address that is told.
	cards map[host.MAC]*holding
	// owned is how many addresses an owner holds, and offers how many are only offered.
	owned  map[string]int
	offers int
	// swept is when what has ended was last taken out, and full until when the ranges of a subnet have nothing left.
	swept time.Time
	full  map[netip.Prefix]time.Time
}

// A holding is an address that is held.
type holding struct {
	lease host.Lease
	// client is who holds it, and lease.MAC its hardware address, if that is known. The owner may be several clients: it is what
	// a guest cannot change as easily as its identifier.
	client, owner string
	state         state
	// until is when it ends; zero is never.
	until time.Time
	// counted is whether it counts against its owner: what the document says somebody is to have does not.
	counted bool
	// unsure is whether it may not be written down.
	unsure bool
}

// A state says why an address is held.
type state uint8

const (
	offered  state = iota // for a moment, until its client asks for it
	leased                // written down
	declined              // somebody else has it, says a client
)

const (
	// offerTime is how long an offer is kept for its client.
	offerTime = 30 * time.Second
	// declineTime is how long an address rests of which a client says that another has it.
	declineTime = 10 * time.Minute
	// sweepTime is how often what has ended is taken out.
	sweepTime = time.Second
)

func newBook(subnets []host.Subnet, most int, l Limits) *book {
	b := &book{
		most: most, mostOffers: l.Offers, mostOf: l.ClientLeases,
		at: map[netip.Addr]*holding{}, of: map[string]*holding{}, cards: map[host.MAC]*holding{}, owned: map[string]int{},
		full: map[netip.Prefix]time.Time{},
	}
	b.reserve(subnets)
	return b
}

// reserve keeps the addresses of static hosts, and those of the host itself, for them.
func (b *book) reserve(subnets []host.Subnet) {
	b.fixed = map[netip.Addr]bool{}
	clear(b.full)
	for i := range subnets {
		b.fixed[subnets[i].Prefix.Addr()] = true
		for _, h := range subnets[i].Hosts {
			b.fixed[h.Addr] = true
		}
	}
}

// ended reports whether a holding holds no longer.
func (h *holding) ended(now time.Time) bool { return !h.until.IsZero() && !h.until.After(now) }

// changes are what has to be written down when a lease takes the place of what its client held before. What is the same is
// written down already.
func (h *holding) changes(old *holding) []host.LeaseChange {
	if old == nil || old.state != leased || old.unsure && old.lease.Addr == h.lease.Addr {
		return []host.LeaseChange{{Lease: h.lease}}
	}
	if old.lease == h.lease {
		return nil
	}
	list := []host.LeaseChange{{Lease: h.lease}}
	if old.lease.Addr != h.lease.Addr {
		list = append(list, host.LeaseChange{Lease: old.lease, Gone: true})
	}
	return list
}

// doubt remembers that changes may not be written down.
func (b *book) doubt(changes []host.LeaseChange) {
	for _, c := range changes {
		if h := b.at[c.Lease.Addr]; h != nil {
			h.unsure = true
		}
	}
}

// sweep takes out what has ended.
func (b *book) sweep(now time.Time) {
	if now.Sub(b.swept) < sweepTime {
		return
	}
	b.swept = now
	for _, h := range b.at {
		if h.ended(now) {
			b.drop(h)
		}
	}
}

func (b *book) drop(h *holding) {
	delete(b.at, h.lease.Addr)
	clear(b.full)
	if h.state == offered {
		b.offers--
	}
	if h.counted {
		if b.owned[h.owner]--; b.owned[h.owner] == 0 {
			delete(b.owned, h.owner)
		}
	}
	if b.of[h.client] == h {
		delete(b.of, h.client)
	}
	if b.cards[h.lease.MAC] == h {
		delete(b.cards, h.lease.MAC)
	}
}

// held returns what a client holds, nil for nothing.
func (b *book) held(client string, now time.Time) *holding {
	if h := b.of[client]; h != nil && !h.ended(now) {
		return h
	}
	return nil
}

// free reports whether a client may have an address: nobody else holds it.
func (b *book) free(addr netip.Addr, client string, now time.Time) bool {
	h := b.at[addr]
	return h == nil || h.ended(now) || h.client == client && h.state != declined
}

// open reports whether a client that asks for an address may have it: nobody else holds it, or has asked for it. Who is offered
// an address and does not ask cannot keep others from it.
func (b *book) open(addr netip.Addr, client string, now time.Time) bool {
	return b.free(addr, client, now) || b.at[addr].state == offered
}

// offer keeps an address for a client for a moment, if nobody holds it and there is room for that.
func (b *book) offer(next *holding, now time.Time) {
	next.state, next.until = offered, now.Add(offerTime)
	b.sweep(now)
	if b.offers < b.mostOffers && b.free(next.lease.Addr, next.client, now) {
		b.hold(next, now)
	}
}

// hold gives an address to a client, who gives up what he held before. It reports whether that could be done: nobody else has
// the address, the book is not full, and the owner has not too many.
func (b *book) hold(next *holding, now time.Time) bool {
	if !b.open(next.lease.Addr, next.client, now) {
		return false
	}
	b.sweep(now)
	next.counted = next.owner != "" && !b.fixed[next.lease.Addr]
	old, there := b.of[next.client], b.at[next.lease.Addr]
	if old == nil && (there == nil && len(b.at) >= b.most || next.counted && b.owned[next.owner] >= b.mostOf) {
		return false
	}
	if old != nil {
		b.drop(old)
	}
	if there != nil && there != old {
		b.drop(there)
	}
	b.at[next.lease.Addr] = next
	if next.state == offered {
		b.offers++
	}
	if next.counted {
		b.owned[next.owner]++
	}
	if next.state != declined {
		b.of[next.client] = next
		if !next.lease.MAC.IsZero() {
			b.cards[next.lease.MAC] = next
		}
	}
	return true
}

// A wish is what a client would have.
type wish struct {
	client string
	subnet *host.Subnet
	// static is what the documents say of the client, nil for nothing.
	static *host.StaticHost
	// want is the address it asks for; not valid is any.
	want netip.Addr
	// lease is for how long, if options say it of the client; 0 is as long as of all.
	lease host.LeaseTime
}

// propose is the address that a client should have: that of the documents, the one it has, the one it wants, any.
func (b *book) propose(w wish, now time.Time) (netip.Addr, bool) {
	if w.static != nil && b.free(w.static.Addr, w.client, now) {
		return w.static.Addr, true
	}
	if h := b.held(w.client, now); h != nil && b.grants(w, h.lease.Addr, now) {
		return h.lease.Addr, true
	}
	if w.want.IsValid() && b.grants(w, w.want, now) {
		return w.want, true
	}
	return b.choose(w, now)
}

// grants reports whether a client may have an address: it is the one of the documents, or one of the ranges that is no
// other's, and it is free.
func (b *book) grants(w wish, addr netip.Addr, now time.Time) bool {
	return b.free(addr, w.client, now) && b.allots(w, addr, now)
}

// allots reports whether an address is for a client, whoever holds it.
func (b *book) allots(w wish, addr netip.Addr, now time.Time) bool {
	if w.static != nil && b.free(w.static.Addr, w.client, now) {
		return addr == w.static.Addr
	}
	return !b.fixed[addr] && rangeOf(w.subnet, addr) != nil
}

// rangeOf is the range that has an address, nil for none.
func rangeOf(s *host.Subnet, addr netip.Addr) *host.Range {
	for i := range s.Ranges {
		if r := &s.Ranges[i]; !addr.Less(r.Start) && !r.End.Less(addr) {
			return r
		}
	}
	return nil
}

// term is for how long a client gets an address: what the documents say of it or of the range, or else what is usual.
func term(s *host.Subnet, static *host.StaticHost, addr netip.Addr, usual host.LeaseTime) host.LeaseTime {
	if static != nil && static.Addr == addr && static.Lease != 0 {
		return static.Lease
	}
	r := rangeOf(s, addr)
	if r == nil && len(s.Ranges) > 0 {
		r = &s.Ranges[0] // an address besides is given as those of the network are
	}
	if r != nil && r.Lease != 0 {
		return r.Lease
	}
	return usual
}

// end is when a lease ends: at a whole second, as it is written down, and not before its client thinks so.
func end(now time.Time, term host.LeaseTime) time.Time {
	return now.Add(time.Duration(term) + time.Second - 1).Truncate(time.Second)
}

// choose finds a free address for a client, in the first range that has one: the same for the same client, as long as it is free. If
// there is none it is one that others are offered and have not asked for.
func (b *book) choose(w wish, now time.Time) (netip.Addr, bool) {
	if len(w.subnet.Ranges) == 0 {
		return netip.Addr{}, false
	}
	sum := fnv.New64a()
	sum.Write([]byte(w.client))
	first := sum.Sum64()
	b.sweep(now)
	if until := b.full[w.subnet.Prefix]; until.After(now) {
		return netip.Addr{}, false
	}
	var last netip.Addr
	for _, r := range w.subnet.Ranges {
		size := span(r)
		// All but what is in the book is free: some more steps than that are enough.
		for k := range min(size, uint64(len(b.at)+len(b.fixed)+1)) {
			addr := add(r.Start, (first+k)%size)
			switch {
			case b.fixed[addr]:
			case b.free(addr, w.client, now) && len(b.at) < b.most:
				return addr, true
			case !last.IsValid() && b.open(addr, w.client, now):
				last = addr
			}
		}
	}
	if !last.IsValid() {
		b.full[w.subnet.Prefix] = now.Add(sweepTime)
	}
	return last, last.IsValid()
}

// span is how many addresses a range has. More than can ever be held are as many as that.
func span(r host.Range) uint64 {
	const plenty = 1 << 32
	a, b := r.Start.As16(), r.End.As16()
	n := uint64(0)
	for i := range a {
		n = n<<8 + uint64(b[i]) - uint64(a[i])
		if n >= plenty {
			return plenty
		}
	}
	return n + 1
}

// add is the address k behind another.
func add(addr netip.Addr, k uint64) netip.Addr {
	bytes := addr.As16()
	for i := len(bytes) - 1; k > 0 && i >= 0; i-- {
		k += uint64(bytes[i])
		bytes[i] = byte(k)
		k >>= 8
	}
	sum := netip.AddrFrom16(bytes)
	if addr.Is4() {
		return sum.Unmap()
	}
	return sum
}
