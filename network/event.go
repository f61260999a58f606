// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An Event is something that happened to a network or a port; see [Manager.Watch]. It belongs to the reader.
type Event struct {
	Kind EventKind `json:"kind"`
	// Time is when it was noticed.
	Time time.Time `json:"time"`
	// Network is the name of the network; empty for a port of none, and where the event is about no network.
	Network string `json:"network,omitempty"`
	// Port is zero unless the event is about a port.
	Port schema.UUID `json:"port,omitzero"`
	// Link is the device of the port, or the one that was lost; empty if there is none.
	Link string `json:"link,omitempty"`
	// Plan is what does not hold any more of what was built, all of it, for EventDeviceLost and EventDriftFound: for a network
	// what [Manager.Plan] tells. For EventRepaired it is what was done, and for EventLeftOut what was not.
	Plan host.Plan `json:"plan,omitempty"`
	// Why is why that could not be done, for EventLeftOut, and what is wrong with the record, for EventRestored.
	Why string `json:"why,omitempty"`
	// Missed is how many events were missed here, for EventMissed.
	Missed int `json:"missed,omitempty"`
	// Wait is the time until the next repair, for EventRepairDelayed.
	Wait time.Duration `json:"wait,omitempty"`
}

// An EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	// EventWatching is the first event of every watch: what happens from now on is told. Who wants to know the networks as
	// well lists them now.
	EventWatching EventKind = iota + 1
	// EventMissed stands where events were left out because the reader was too slow. Who keeps a picture of the networks
	// looks at them again.
	EventMissed
	// EventDefined is a network that has a definition now.
	EventDefined
	// EventRedefined is a network that has another definition now.
	EventRedefined
	// EventUndefined is a network that has no definition any more.
	EventUndefined
	// EventStarted is a network that runs now, defined or not. Its ports are plugged in afterwards.
	EventStarted
	// EventStopped is a network that does not run any more.
	EventStopped
	// EventUpdated is a network that was changed by [Manager.Update], as it runs or in its definition.
	EventUpdated
	// EventPortAdded is a new port.
	EventPortAdded
	// EventPortChanged is a port with other parameters, or plugged into another bridge.
	EventPortChanged
	// EventPortRemoved is a port that is gone.
	EventPortRemoved
	// EventDeviceLost is a device of a running network or of a port that somebody else has removed.
	EventDeviceLost
	// EventDriftFound is something of a running network or of a port that is not as it was built. It is told once, and again
	// when more drifts.
	EventDriftFound
	// EventDriftMended is a network or port that had drifted or lost its device, and of which everything holds again.
	EventDriftMended
	// EventRepaired is a network or port that [Manager.Repair] or [Manager.Heal] has repaired.
	EventRepaired
	// EventRepairDelayed is a network or port that drifts again and again, or cannot be repaired: the next repair waits.
	EventRepairDelayed
	// EventLeftOut is a network that was started or changed without something that it is whole without, and that could not be
	// done: that the resolver of the host is told of its domain. [Manager.Check] finds it, and [Manager.Repair] tries it again.
	// Without a Plan it is something that its own document leaves nothing of.
	EventLeftOut
	// EventRestored is a network whose record in the store could not be read, for the reason Why, and was made anew from its definition
	// and from what bears its mark on the host. What runs goes on; without a bridge the network is stopped.
	EventRestored
)

var eventWords = []string{
	"", "watching", "missed", "defined", "redefined", "undefined", "started", "stopped", "updated", "port-added", "port-changed", "port-removed",
	"device-lost", "drift-found", "drift-mended", "repaired", "repair-delayed", "left-out", "restored",
}

// String returns the kind as a word, such as "port-added".
func (k EventKind) String() string { return schema.Word(eventWords, k) }

// MarshalText returns the word.
func (k EventKind) MarshalText() ([]byte, error) { return schema.MarshalWord(eventWords, k) }

// UnmarshalText accepts the words.
func (k *EventKind) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(eventWords, text, k)
}

// String is the event in one line, without its time; the steps of the plan are counted.
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	if e.Network != "" {
		fmt.Fprintf(&b, " network %q", e.Network)
	}
	if !e.Port.IsZero() {
		fmt.Fprintf(&b, " port %s", e.Port)
	}
	if e.Link != "" {
		fmt.Fprintf(&b, " link %s", e.Link)
	}
	if n := len(e.Plan); n > 0 && e.Kind == EventRepaired {
		fmt.Fprintf(&b, ", %d steps", n)
	} else if n > 0 && e.Kind != EventLeftOut {
		fmt.Fprintf(&b, ", %d steps missing", n)
	}
	if e.Why != "" {
		b.WriteString(": " + e.Why)
	}
	if e.Wait > 0 {
		fmt.Fprintf(&b, ", next in %s", e.Wait.Round(time.Millisecond))
	}
	if e.Missed > 0 {
		fmt.Fprintf(&b, " %d", e.Missed)
	}
	return b.String()
}
