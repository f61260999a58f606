// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"slices"
)

// A Queue is what packets wait in that may not be sent yet, in the word of "tc qdisc". Each is bounded: what waits is sent
// within about a tenth of a second at the rate that is guaranteed, or is as much as one packet of the largest size, 64 KiB.
type Queue string

// The queues, the best first.
const (
	// FQCoDel serves the streams in turn and keeps the wait of each short.
	FQCoDel Queue = "fq_codel"
	// SFQ serves the streams in turn.
	SFQ Queue = "sfq"
	// BFIFO is one line for all, so that who sends little waits behind who sends much. Every kernel has it.
	BFIFO Queue = "bfifo"
)

// A Means is how traffic is shaped that a link receives, which cannot be made to wait where it comes in.
type Means string

// The means, the best first.
const (
	// Redirect sends what comes in through a device of kind ifb, where it waits as outgoing traffic does, and keeps the
	// ceiling. The device belongs to the shape and is no fact of its own.
	Redirect Means = "ifb"
	// Police drops what comes too fast. It knows no ceiling above the rate.
	Police Means = "police"
	// Throttle drops it as well, in the packet filter. What a second brings at the rate passes at once after a pause, so that
	// its burst is never less; see MaxThrottle.
	Throttle Means = "nft"
)

// Shaping is what a machine can do about traffic. The zero Shaping is a machine that cannot shape.
type Shaping struct {
	// Queues and Means are those there are, the best first.
	Queues []Queue `json:",omitempty"`
	Means  []Means `json:",omitempty"`
	// NoU32 is a kernel without the classifier u32. Its filters are of kind bpf.
	NoU32 bool `json:",omitempty"`
}

// String is what there is, the best first.
func (s Shaping) String() string {
	return fmt.Sprintf("queues %v means %v", s.Queues, s.Means) + byBPF(s.NoU32)
}

// byBPF says of what kind filters are that are not of the usual one.
func byBPF(bpf bool) string {
	if bpf {
		return " match bpf"
	}
	return ""
}

// A Limit is what may pass in one direction: Rate over time, and after a pause Burst at the speed of Ceil. Rates are
// kilobytes per second, of 1000 bytes; Burst is kibibytes, of 1024. The zero Limit is none. See [NewLimit].
type Limit struct {
	Rate, Ceil, Burst uint64
}

const (
	// MaxRate is the highest rate: in bytes it fits into 64 bits.
	MaxRate = 1 << 54
	// MaxBurst is the largest burst: in bytes it fits into 32 bits.
	MaxBurst = 1<<22 - 1
	// MaxThrottle is the highest rate of [Throttle], in kilobytes: its burst is what a second brings, and fits into 32 bits.
	MaxThrottle = MaxBurst * 1024 / 1000
	// MaxBurstTime is how many seconds a burst may take at the rate: the kernel counts the time in 32 bits, in units of 64
	// nanoseconds.
	MaxBurstTime = 274
)

// NewLimit is what the numbers of a <bandwidth> mean: an absent (zero) average is no limit, an absent peak is the average,
// and so is one below it. An absent burst is [UsualBurst]; one that would take more than MaxBurstTime is as large as that
// allows. Numbers that are too large are taken for the largest.
func NewLimit(average, peak, burst uint64) Limit {
	if average == 0 {
		return Limit{}
	}
	l := Limit{Rate: min(average, MaxRate), Burst: min(burst, MaxBurst)}
	l.Ceil = min(max(peak, l.Rate), MaxRate)
	if l.Burst == 0 {
		l.Burst = UsualBurst(l.Rate)
	}
	if !fits(l.Rate, l.Burst) {
		l.Burst = l.Rate * MaxBurstTime * 1000 / 1024
	}
	return l
}

// UsualBurst is the burst of a rate that was given none, in kibibytes: what passes in a hundredth of a second, up to 1 MiB,
// or in a thousandth if that is more. With less, a busy processor that looks late costs some of the rate.
func UsualBurst(rate uint64) uint64 {
	thousandth := rate / 1024
	return min(max(2, min(rate/102, 1024), thousandth), MaxBurst)
}

// fits reports whether a burst takes no longer than MaxBurstTime.
func fits(rate, burst uint64) bool {
	const most = MaxBurstTime * 1000
	return (burst*1024+most-1)/most <= rate
}

// IsZero reports whether nothing is limited.
func (l Limit) IsZero() bool { return l == Limit{} }

// Equal reports whether the kernel does the same for both: above 16 GB per second it does not keep the last kibibytes of
// a burst.
func (l Limit) Equal(m Limit) bool {
	apart := max(l.Burst, m.Burst) - min(l.Burst, m.Burst)
	return l.Rate == m.Rate && l.Ceil == m.Ceil && (apart == 0 || apart < l.Rate>>23)
}

func (l Limit) check() error {
	switch {
	case l.IsZero():
		return nil
	case l.Rate == 0 || l.Rate > MaxRate || l.Ceil < l.Rate || l.Ceil > MaxRate:
		return invalid("rate of %d kB/s up to %d kB/s: not between 1 and %d, and the second not below the first", l.Rate, l.Ceil, uint64(MaxRate))
	case l.Burst == 0 || l.Burst > MaxBurst:
		return invalid("burst of %d KiB is not between 1 and %d", l.Burst, MaxBurst)
	case !fits(l.Rate, l.Burst):
		return invalid("burst of %d KiB takes more than %d seconds at %d kB/s", l.Burst, MaxBurstTime, l.Rate)
	}
	return nil
}

// String is the limit in the words of tc, where kbps is kilobytes of 1000 bytes per second and kb is kibibytes.
func (l Limit) String() string {
	return fmt.Sprintf("rate %dkbps ceil %dkbps burst %dkb", l.Rate, l.Ceil, l.Burst)
}

// A Shape is how the traffic of one link is shaped in both directions, as seen by the machine: Egress is what it sends by
// the link, Ingress what it receives by it. For a guest's tap these are the guest's inbound and outbound. A zero
// direction is not shaped; a Shape without any is none.
//
// What is shaped on the way out is in classes: 1:1 is everything, 1:2 in it is what has no [Class] of its own. The rate
// of 1:2 follows from the others: what their guarantees leave of the rate, and not less than 1 kB/s.
type Shape struct {
	Link    string
	Egress  Limit `json:",omitzero"`
	Ingress Limit `json:",omitzero"`
	// Queue is where packets wait.
	Queue Queue `json:",omitempty"`
	// Means is how Ingress is shaped; empty if it is not.
	Means Means `json:",omitempty"`
	// BPF has the filter of Redirect or Police be of kind bpf, for a kernel without u32.
	BPF bool `json:",omitempty"`
	// Other is set in facts only: what is not as an operation of this package leaves it, because somebody else changed it
	// or an operation was cut short. It holds tc's words.
	Other string `json:",omitempty"`
}

// IsZero reports whether nothing is shaped.
func (s Shape) IsZero() bool { return s.Egress.IsZero() && s.Ingress.IsZero() && s.Other == "" }

// Equal reports whether both shape alike.
func (s Shape) Equal(t Shape) bool {
	if s.IsZero() || t.IsZero() {
		return s.IsZero() == t.IsZero()
	}
	return s.Link == t.Link && s.Egress.Equal(t.Egress) && s.Ingress.Equal(t.Ingress) &&
		s.Queue == t.Queue && s.Means == t.Means && s.BPF == t.BPF && s.Other == t.Other
}

// String is the shape in one line.
func (s Shape) String() string {
	text := s.Link
	if !s.Egress.IsZero() {
		text += " egress " + s.Egress.String()
	}
	if !s.Ingress.IsZero() {
		text += " ingress " + s.Ingress.String() + " by " + string(s.Means) + byBPF(s.BPF)
	}
	if s.Queue != "" {
		text += " queue " + string(s.Queue)
	}
	if s.Other != "" {
		text += fmt.Sprintf(" other %q", s.Other)
	}
	return text
}

func (s Shape) check(link string) error {
	if s == (Shape{}) {
		return nil
	}
	known := slices.Contains([]Queue{FQCoDel, SFQ, BFIFO}, s.Queue)
	drops := s.Means == Police || s.Means == Throttle
	switch {
	case s.Link != link:
		return invalid("shape of link %q for %q", s.Link, link)
	case s.Other != "" || s.Egress.IsZero() && s.Ingress.IsZero():
		return invalid("shape %s", s)
	case s.Ingress.IsZero() != (s.Means == "") || s.Means != "" && s.Means != Redirect && !drops:
		return invalid("shape %s: means %q", s, s.Means)
	case s.BPF && s.Means != Redirect && s.Means != Police:
		return invalid("shape %s: it has no filter", s)
	case drops && s.Ingress.Ceil != s.Ingress.Rate:
		return invalid("shape %s: policing has no ceiling above the rate", s)
	case s.Means == Throttle && (s.Ingress.Rate > MaxThrottle || s.Ingress.Burst*1024 < s.Ingress.Rate*1000):
		return invalid("shape %s: its burst is not what a second brings, or more", s)
	case !known && (s.Queue != "" || !s.Egress.IsZero() || s.Means == Redirect):
		return invalid("shape %s: queue %q", s, s.Queue)
	}
	return firstError(s.Egress.check(), s.Ingress.check())
}

// SetShape replaces how a link's traffic is shaped, as a whole:
//
//	tc qdisc replace dev LINK root handle 1: htb default 2
//	tc class replace dev LINK parent 1: classid 1:1 htb rate RATE ceil CEIL burst BURST
//	tc class replace dev LINK parent 1:1 classid 1:2 htb rate RATE ceil CEIL burst BURST
//	tc qdisc replace dev LINK parent 1:2 handle 2: QUEUE
//	ip link add IFB type ifb; (the same on IFB); ip link set IFB up
//	tc filter add dev LINK ingress matchall action mirred egress redirect dev IFB
//
// With [Police] the last is "action police rate RATE burst BURST drop", and with [Throttle] a chain of nftables at the ingress
// of LINK with "limit rate over RATE bytes/second burst BURST bytes drop".
//
// Was is what it replaces; a zero Shape on either side is none. A link that is missing, or is not shaped although Was says
// so, or shaped in another whole way, is fs.ErrNotExist; one that is shaped although Was says nothing is fs.ErrExist, also
// if it was somebody else. Classes stay; taking away the shape they stand in, or one below what they guarantee, is
// fs.ErrInvalid. A queue or means that the machine lacks is errors.ErrUnsupported. What was left half done or
// changed by somebody can be replaced, by the same as well, and taken away, whatever Was says, with the device that Redirect uses and also when the link itself is gone.
type SetShape struct {
	Link  string
	Shape Shape `json:",omitzero"`
	Was   Shape `json:",omitzero"`
}

// Check refuses shapes that contradict themselves, and those of another link.
func (o SetShape) Check() error {
	if o.Shape == (Shape{}) && o.Was == (Shape{}) {
		return invalid("shape of %s: none in place of none", o.Link)
	}
	return firstError(CheckName(o.Link), o.Shape.check(o.Link), o.Was.check(o.Link))
}

// Inverse puts the old shape back.
func (o SetShape) Inverse() Op { return SetShape{Link: o.Link, Shape: o.Was, Was: o.Shape} }

// Scope is the shape of the link.
func (o SetShape) Scope() Scope { return Scope{Shapes: []string{o.Link}} }

// Holds if the link's traffic is shaped exactly so.
func (o SetShape) Holds(f *Facts) bool { return f.Shape(o.Link).Equal(o.Shape) }

func (o SetShape) String() string {
	if o.Shape.IsZero() {
		return "tc shape del " + o.Was.String()
	}
	if o.Was.IsZero() {
		return "tc shape add " + o.Shape.String()
	}
	return fmt.Sprintf("tc shape change %s (was %s)", o.Shape, o.Was)
}
