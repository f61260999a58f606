// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// A stage is how far a recorded plan has come. A record in any stage but running is taken back by whoever finds it
// when nobody holds its lock: the program that worked on it has ended. Of one that is being updated that is the update; the
// network runs. One that is being adopted is libvirt's until libvirt has forgotten it, and then ours.
type stage string

const (
	starting stage = "starting"
	running  stage = "running"
	updating stage = "updating"
	stopping stage = "stopping"
	adopting stage = "adopting"
)

// ends reports whether whoever finds a record in that stage takes it back: it need not be written down again before that is done.
func (s stage) ends() bool { return s == starting || s == stopping }

// A record is what stands on the host for one network or port, written down before the first change is made. What is
// taken back is the recorded plan, whatever today's document says.
type record struct {
	// Instance is the machine's identity when the plan was made: nothing of another instance exists any more.
	Instance string    `json:"instance"`
	Stage    stage     `json:"stage"`
	Since    time.Time `json:"since"`
	// Name is that of the network, and empty for a port of no network.
	Name string `json:"name"`
	// Document is the live <network> or <networkport>.
	Document string    `json:"document"`
	Plan     host.Plan `json:"plan"`
	// Turning is set while the network is being updated.
	Turning *turning `json:"turning,omitempty"`
	// Adopting is set while the network is taken over from libvirt. The plan is empty until then: nothing is ours.
	Adopting *adoptionRecord `json:"adopting,omitempty"`
}

// A socket is what the ports of a network are plugged into, where that is a bridge.
type socket struct {
	bridge string
	kind   PlugType
}

// socketOf is that of a network; the zero socket if its ports are plugged into no bridge.
func socketOf(n *Network) socket {
	switch {
	case n.Managed():
		return socket{bridgeOf(n), PlugNetwork}
	case n.HostBridge():
		return socket{bridgeOf(n), PlugBridge}
	}
	return socket{}
}

// socket is what the ports of the network that the record is of are plugged into.
func (r *record) socket() (socket, error) {
	n, err := r.live()
	if err != nil {
		return socket{}, err
	}
	return socketOf(n), nil
}

// live is the document of the network that the record is of.
func (r *record) live() (*Network, error) {
	n, err := Parse(strings.NewReader(r.Document))
	if err != nil {
		return nil, &brokenError{runName(r.Name), err}
	}
	return n, nil
}

// A brokenError is something in a store that is not what was put there.
type brokenError struct {
	name string
	err  error
}

func (e *brokenError) Error() string { return fmt.Sprintf("store: %s: %v", e.name, e.err) }
func (e *brokenError) Unwrap() error { return e.err }

// loadJSON reads a value that saveJSON wrote. Nothing there wraps fs.ErrNotExist; anything else but what was written is a
// [brokenError].
func loadJSON[T any](ctx context.Context, s Store, name string) (*T, error) {
	data, err := s.Load(ctx, name)
	if err != nil {
		return nil, err
	}
	value := new(T)
	if err := unseal(data, value); err != nil {
		return nil, &brokenError{name, err}
	}
	return value, nil
}

func saveJSON(ctx context.Context, s Store, name string, value any) error {
	_, err := saveAsJSON(ctx, s, name, value)
	return err
}

// saveAsJSON is saveJSON that returns the JSON.
func saveAsJSON(ctx context.Context, s Store, name string, value any) (saved []byte, err error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", name, err)
	}
	return data, s.Save(ctx, name, seal(data))
}

// restaged is the JSON of a record, in another stage. Nothing else in it looks like the stage: within a value a quote
// stands behind a backslash.
func restaged(written []byte, was, now stage) []byte {
	return bytes.Replace(written, []byte(`"stage":"`+was+`"`), []byte(`"stage":"`+now+`"`), 1)
}

// sums are what a file of a value ends with: a line with the checksum of the lines before.
var sums = crc32.MakeTable(crc32.Castagnoli)

// seal is a value, as JSON, as it is written down.
func seal(data []byte) []byte {
	data = append(slices.Clip(data), '\n')
	return fmt.Appendf(data, "%08x\n", crc32.Checksum(data, sums))
}

// unseal reads a value that seal wrote.
func unseal(data []byte, value any) error {
	end := bytes.IndexByte(data, '\n') + 1 // JSON that we write has no other
	if end == 0 {
		return errors.New("it has been cut off")
	}
	if want := fmt.Sprintf("%08x\n", crc32.Checksum(data[:end], sums)); string(data[end:]) != want {
		return errors.New("its checksum is wrong")
	}
	return json.Unmarshal(data[:end], value)
}

// loadRecord reads a record of this instance of the machine. A record of another one is removed, and counts as missing.
func loadRecord(ctx context.Context, s Store, name, instance string) (*record, error) {
	r, err := loadJSON[record](ctx, s, name)
	if err != nil {
		return nil, err
	}
	if r.Instance != instance {
		return nil, errors.Join(fmt.Errorf("store: %s is of a machine that has ended: %w", name, fs.ErrNotExist), s.Remove(ctx, name))
	}
	return r, nil
}
