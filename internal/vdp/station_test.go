// SPDX-License-Identifier: Apache-2.0

package vdp_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/vdp"
)

// start is when the tests begin.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// guestOf is a guest that is called by a letter.
func guestOf(letter byte, mode vdp.Mode) vdp.VSI {
	return vdp.VSI{
		Mode: mode, Manager: [16]byte{11}, Type: 7, Version: 2, Instance: [16]byte{letter},
		Filters: []vdp.Filter{{MAC: [6]byte{0x52, 0x54, 0, 0, 0, letter}, VLAN: 5}},
	}
}

func want(letter byte, mode vdp.Mode) vdp.Event { return vdp.Want{VSI: guestOf(letter, mode)} }

func ack(sequence uint16) vdp.Event {
	return vdp.Receive{Message: vdp.Message{Ack: true, Sequence: sequence}}
}

// says is a message of a switch about a guest.
func says(sequence uint16, letter byte, mode vdp.Mode, status vdp.Status) vdp.Event {
	v := guestOf(letter, mode)
	v.Status = status
	return vdp.Receive{Message: vdp.Message{Sequence: sequence, VSIs: []vdp.VSI{v}}}
}

var (
	modeWords    = map[vdp.Mode]string{vdp.Preassociate: "preassoc", vdp.PreassociateRR: "preassoc-rr", vdp.Associate: "assoc", vdp.Disassociate: "deassoc"}
	outcomeWords = map[vdp.Outcome]string{
		vdp.Granted: "granted", vdp.Refused: "refused", vdp.Unheard: "unheard", vdp.Unanswered: "unanswered", vdp.Ended: "ended",
	}
)

// text is what a station does, in one line.
func text(out vdp.Output) string {
	var words []string
	for _, m := range out.Send {
		if m.Ack {
			words = append(words, fmt.Sprintf("ack %d", m.Sequence))
		}
		for _, v := range m.VSIs {
			words = append(words, fmt.Sprintf("%d: %s %c", m.Sequence, modeWords[v.Mode], v.Instance[0]))
		}
	}
	for _, n := range out.News {
		line := fmt.Sprintf("%c %s", n.Instance[0], outcomeWords[n.Outcome])
		if n.Status != 0 {
			line += fmt.Sprintf(" %#x", byte(n.Status))
		}
		words = append(words, line)
	}
	return strings.Join(words, ", ")
}

// A step is what happens that much after the last one, and what the station then does. A nil event is time that passes.
type step struct {
	after time.Duration
	event vdp.Event
	want  string
}

const ms = time.Millisecond

// associated is a guest called a that is associated, with two milliseconds gone.
var associated = []step{
	{0, want('a', vdp.Associate), "1: assoc a"},
	{ms, ack(1), ""},
	{ms, says(1, 'a', vdp.Associate, vdp.Answer), "ack 1, a granted"},
}

func after(steps []step, more ...step) []step { return append(steps[:len(steps):len(steps)], more...) }

func TestStation(t *testing.T) {
	const refresh = 10485760 * time.Microsecond
	for _, c := range []struct {
		name  string
		steps []step
		has   string
	}{
		{"associated", associated, "assoc a"},
		{"reminded of", after(associated,
			step{refresh - ms, nil, ""},
			step{ms, nil, "2: assoc a"},
			step{ms, ack(2), ""},
			step{ms, says(2, 'a', vdp.Associate, vdp.Answer), "ack 2"},
			step{refresh, nil, "3: assoc a"},
		), "assoc a"},
		{"made ready for, then associated", []step{
			{0, want('a', vdp.Preassociate), "1: preassoc a"},
			{ms, ack(1), ""},
			{ms, says(1, 'a', vdp.Preassociate, vdp.Answer), "ack 1, a granted"},
			{4 * ms, want('a', vdp.Associate), "2: assoc a"},
			{0, says(2, 'a', vdp.Preassociate, vdp.Answer), "ack 2"}, // of what was wanted before
			{0, ack(2), ""},
			{ms, says(3, 'a', vdp.Associate, vdp.Answer), "ack 3, a granted"},
		}, "assoc a"},
		{"made ready for with resources", []step{
			{0, want('a', vdp.PreassociateRR), "1: preassoc-rr a"},
			{ms, ack(1), ""},
			{ms, says(1, 'a', vdp.PreassociateRR, vdp.Answer), "ack 1, a granted"},
			{refresh, nil, "2: preassoc-rr a"},
		}, "preassoc-rr a"},
		{"forgotten", after(associated,
			step{4 * ms, want('a', vdp.Disassociate), "2: deassoc a"},
			step{0, ack(2), ""},
			step{ms, says(2, 'a', vdp.Disassociate, vdp.Answer), "ack 2, a granted"},
			step{time.Hour, nil, ""},
		), ""},
		{"forgotten by who never knew", []step{
			{0, want('a', vdp.Disassociate), "1: deassoc a"},
			{ms, says(1, 'a', vdp.Disassociate, vdp.Answer), "ack 1, a granted"},
		}, ""},
		{"the answer is heard again", after(associated, step{ms, says(1, 'a', vdp.Associate, vdp.Answer), "ack 1"}), "assoc a"},
		{"a switch that was started anew counts from the beginning", after(associated,
			step{5 * time.Second, says(1, 'a', vdp.Disassociate, 0), "ack 1, a ended"},
		), ""},
		{"ended by the switch", after(associated, step{ms, says(2, 'a', vdp.Disassociate, 0), "ack 2, a ended"}), ""},
		{"refused", []step{
			{0, want('a', vdp.Associate), "1: assoc a"},
			{ms, says(1, 'a', vdp.Disassociate, vdp.Answer|2), "ack 1, a refused 0x42"},
		}, ""},
		{"refused in its own mode", []step{
			{0, want('a', vdp.Associate), "1: assoc a"},
			{ms, says(1, 'a', vdp.Associate, vdp.Answer|vdp.Hard|3), "ack 1, a refused 0x53"},
		}, ""},
		{"refused without a word", []step{
			{0, want('a', vdp.Associate), "1: assoc a"},
			{ms, says(1, 'a', vdp.Disassociate, 0), "ack 1, a refused"},
		}, ""},
		{"refused, and what was holds on", []step{
			{0, want('a', vdp.Preassociate), "1: preassoc a"},
			{ms, ack(1), ""},
			{0, says(1, 'a', vdp.Preassociate, vdp.Answer), "ack 1, a granted"},
			{4 * ms, want('a', vdp.Associate), "2: assoc a"},
			{ms, ack(2), ""},
			{0, says(2, 'a', vdp.Associate, vdp.Answer|vdp.Keep|3), "ack 2, a refused 0x63"},
			{refresh, nil, "3: preassoc a"},
		}, "preassoc a"},
		{"associated again", after(associated,
			step{4 * ms, want('a', vdp.Associate), "2: assoc a"},
			step{ms, says(2, 'a', vdp.Associate, vdp.Answer), "ack 2, a granted"},
		), "assoc a"},
		{"reminded in vain", after(associated,
			step{refresh, nil, "2: assoc a"},
			step{ms, ack(2), ""},
			step{0, says(2, 'a', vdp.Disassociate, vdp.Answer|5), "ack 2, a ended 0x45"},
		), ""},
		{"nobody acknowledges", []step{
			{0, want('a', vdp.Associate), "1: assoc a"},
			{2 * ms, nil, ""},
			{ms, nil, "1: assoc a"}, {6 * ms, nil, "1: assoc a"}, {11 * ms, nil, "1: assoc a"}, {21 * ms, nil, "1: assoc a"},
			{41 * ms, nil, "1: assoc a"}, {82 * ms, nil, "1: assoc a"}, {164 * ms, nil, "1: assoc a"}, {328 * ms, nil, "1: assoc a"},
			{656 * ms, nil, "a unheard"},
		}, ""},
		{"acknowledged and not answered", []step{
			{0, want('a', vdp.Associate), "1: assoc a"},
			{ms, ack(1), ""},
			{2 * time.Second, nil, "2: assoc a"},
			{ms, ack(2), ""},
			{13753 * ms, nil, "3: assoc a"},
			{1 * ms, nil, "a unanswered"},
		}, ""},
		{"the switch is gone for a while", after(associated,
			step{refresh, nil, "2: assoc a"},
			step{time.Second, nil, "2: assoc a"},
			step{4 * time.Second, ack(2), ""},
			step{3 * ms, nil, "3: assoc a"},
			step{0, ack(3), ""},
			step{ms, says(1, 'a', vdp.Associate, vdp.Answer), "ack 1"},
		), "assoc a"},
		{"the switch is gone", after(associated,
			step{refresh, nil, "2: assoc a"},
			step{15755 * ms, nil, "2: assoc a"},
			step{ms, nil, "a ended"},
			step{time.Hour, nil, ""},
		), ""},
		{"the switch was started anew", after(associated,
			step{4 * ms, vdp.Agree{Started: true}, ""},
			step{2 * time.Second, nil, "2: assoc a"},
		), "assoc a"},
		{"the switch was started anew just before it would have been given up", after(associated,
			step{refresh, nil, "2: assoc a"},
			step{15 * time.Second, vdp.Agree{Started: true}, "2: assoc a"},
			step{2 * time.Second, nil, "2: assoc a"},
			step{ms, ack(2), ""},
			step{3 * ms, nil, "3: assoc a"},
			step{ms, says(3, 'a', vdp.Associate, vdp.Answer), "ack 3"},
		), "assoc a"},
		{"the switch says again what it said", after(associated, step{4 * ms, vdp.Agree{}, ""}), "assoc a"},
		{"other terms", []step{
			{0, vdp.Agree{Terms: vdp.TermsOf(0, 10, 0, 17)}, ""}, // 10 ms, and 1.3 s
			{0, want('a', vdp.Associate), "1: assoc a"},
			{10 * ms, nil, ""},
			{ms, nil, "1: assoc a"},
			{0, says(1, 'a', vdp.Associate, vdp.Answer), "ack 1, a granted"},
			{ms, ack(1), ""},
			{1310 * ms, nil, "2: assoc a"},
		}, "assoc a"},
		{"two guests, one after the other", []step{
			{0, want('a', vdp.Associate), "1: assoc a"},
			{0, want('b', vdp.Associate), ""},
			{ms, ack(1), ""},
			{3 * ms, nil, "2: assoc b"},
			{0, says(1, 'b', vdp.Associate, vdp.Answer), "ack 1, b granted"},
			{0, says(2, 'a', vdp.Associate, vdp.Answer), "ack 2, a granted"},
		}, "assoc a, assoc b"},
		{"who is not asked about", after(associated,
			step{0, says(5, 'z', vdp.Disassociate, 0), "ack 5"},
			step{0, says(6, 'a', vdp.Associate, 0), "ack 6"},
			step{0, ack(77), ""},
		), "assoc a"},
		{"wanted and not any more", []step{
			{0, want('a', vdp.Associate), "1: assoc a"},
			{ms, want('a', vdp.Disassociate), ""},
			{0, says(1, 'a', vdp.Associate, vdp.Answer), "ack 1"},
			{0, ack(1), ""},
			{3 * ms, nil, "2: deassoc a"},
			{ms, says(2, 'a', vdp.Disassociate, 0), "ack 2, a granted"},
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, now := vdp.NewStation(0), start
			for i, step := range c.steps {
				now = now.Add(step.after)
				next, out := s.Next(step.event, now)
				require.Equal(t, step.want, text(out), "step %d", i+1)
				_, again := s.Next(step.event, now)
				require.Equal(t, out, again, "step %d, a second time", i+1)
				s = next
			}
			var has []string
			for _, v := range s.Has() {
				has = append(has, modeWords[v.Mode]+" "+string(v.Instance[:1]))
			}
			require.Equal(t, c.has, strings.Join(has, ", "))
		})
	}
}

// TestVLANOfTheSwitch reminds the switch of a guest in the VLAN that it has chosen for it.
func TestVLANOfTheSwitch(t *testing.T) {
	v := guestOf('a', vdp.Associate)
	v.Filters[0].VLAN = 0
	s, _ := vdp.NewStation(7).Next(vdp.Want{VSI: v}, start)
	s, _ = s.Next(ack(8), start)
	s, out := s.Next(says(1, 'a', vdp.Associate, vdp.Answer), start)
	require.Equal(t, "ack 1, a granted", text(out))
	_, out = s.Next(nil, out.Wake)
	require.Equal(t, uint16(5), out.Send[0].VSIs[0].Filters[0].VLAN)
}

// TestSequence leaves out 0.
func TestSequence(t *testing.T) {
	_, out := vdp.NewStation(0xffff).Next(want('a', vdp.Associate), start)
	require.Equal(t, "1: assoc a", text(out))
}

// FuzzStation plays a switch that says anything to a station who is asked anything, and does not always hear. Whatever happens,
// it knows of no more guests than were asked for, always gets on, and tells of each wish what has become of it.
func FuzzStation(f *testing.F) {
	f.Add([]byte{0, 1, 16, 32, 0, 2, 48, 1, 64, 80})
	f.Add([]byte{0, 1, 17, 2, 33, 3, 200, 96, 96, 96, 96, 112, 5})
	f.Add([]byte{1, 0x12, 0x21, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0})
	f.Fuzz(func(t *testing.T, script []byte) {
		s, now := vdp.NewStation(uint16(len(script))), start
		wishes := map[byte]bool{} // those without an answer
		step := func(e vdp.Event) vdp.Output {
			next, out := s.Next(e, now)
			_, again := s.Next(e, now)
			require.Equal(t, out, again)
			require.LessOrEqual(t, len(out.Send), 3)
			for _, n := range out.News {
				require.Equal(t, n.Outcome != vdp.Ended, wishes[n.Instance[0]], text(out))
				delete(wishes, n.Instance[0])
			}
			require.LessOrEqual(t, len(next.Has()), 4)
			s = next
			return out
		}
		var last vdp.Output
		for _, b := range script {
			letter, arg := b&3, b>>2&3
			switch mode := []vdp.Mode{vdp.Preassociate, vdp.Associate, vdp.Disassociate, vdp.PreassociateRR}[arg]; b >> 4 {
			case 0, 1, 2:
				wishes[letter] = true
				last = step(want(letter, mode))
			case 3, 4, 5:
				last = step(says(uint16(b), letter, mode, vdp.Answer))
			case 6:
				last = step(says(uint16(b), letter, mode, vdp.Answer|vdp.Keep|4))
			case 7:
				last = step(says(uint16(b), letter, mode, vdp.Status(arg)))
			case 8, 9:
				for _, m := range last.Send {
					last = step(ack(m.Sequence))
				}
			case 10:
				last = step(vdp.Agree{Started: true, Terms: vdp.TermsOf(b&7, b&31, b&31, b&31)})
			default:
				if !last.Wake.IsZero() {
					now = last.Wake
				}
				last = step(nil)
			}
		}
		// The switch falls silent: everything comes to an end.
		for turns := 0; len(wishes) > 0; turns++ {
			require.False(t, last.Wake.IsZero(), "%v is waited for, and nothing to come", wishes)
			require.Less(t, turns, 2000)
			require.False(t, last.Wake.Before(now) && turns > 1, "it does not get on")
			now = last.Wake
			last = step(nil)
		}
	})
}

// FuzzFrames has a switch send anything at all to a station with guests: whatever it is, each frame gets no more than an
// acknowledgement and the next message, and no guest comes from it.
func FuzzFrames(f *testing.F) {
	f.Add(bytesOf(f, "1001 0001"+manager+"0221 40"+guest), bytesOf(f, "1401 0001"))
	f.Add(bytesOf(f, "1001 0001"+manager+"0821 00"+guest), bytesOf(f, "1001 0002"+manager+"0621 40"+guest))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := vdp.NewStation(0)
		known := vdp.VSI{
			Mode: vdp.Preassociate, Manager: [16]byte{11}, Type: 1193047, Version: 2, Instance: [16]byte{1, 2, 3},
			Filters: []vdp.Filter{{MAC: [6]byte{0x52, 0x54, 0, 0, 0, 7}, VLAN: 5}},
		}
		now := start
		var out vdp.Output
		s, _ = s.Next(vdp.Want{VSI: known}, now)
		s, _ = s.Next(want('a', vdp.Associate), now)
		for _, frame := range [][]byte{first, second, first} {
			m, err := vdp.Parse(frame)
			if err != nil {
				continue
			}
			s, out = s.Next(vdp.Receive{Message: m}, now)
			require.LessOrEqual(t, len(out.Send), 2)
			require.LessOrEqual(t, len(out.News), 2)
			require.LessOrEqual(t, len(s.Has()), 2)
			now = now.Add(ms)
		}
	})
}
