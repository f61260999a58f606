// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-virtnet/virtnet/internal/trust"
	"github.com/go-virtnet/virtnet/network/host"
)

// vsiFolder is the folder in RunDir with a file for each guest that a switch has been told of, or was about to be, called
// by its uuid. It can be the name of no server.
const vsiFolder = ".vsi"

// A vsiRecord is such a file.
type vsiRecord struct {
	// Machine is the machine and the namespace it was written in.
	Machine     string
	Association host.Association
	// Since is when the switch was told.
	Since time.Time
	// Ended says that the switch has ended it, as far as the station of this package has heard.
	Ended bool `json:",omitempty"`
}

// vsis keeps two goroutines from telling the switch of one guest at the same time.
type vsis struct {
	mu sync.Mutex
	// busy has those that somebody is at work on, with what is closed when he is not any more.
	busy map[host.UUID]chan struct{}
}

// claim waits until nobody else is at work on a guest.
func (v *vsis) claim(ctx context.Context, id host.UUID) (release func(), err error) {
	for {
		release, other := v.tryClaim(id)
		if release != nil {
			return release, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fmt.Errorf("association %s: somebody is at work on it: %w", id, context.Cause(ctx))
		}
	}
}

// tryClaim returns what is closed when the other one has done, if somebody else is at work on the guest.
func (v *vsis) tryClaim(id host.UUID) (release func(), other <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if other := v.busy[id]; other != nil {
		return nil, other
	}
	if v.busy == nil {
		v.busy = map[host.UUID]chan struct{}{}
	}
	done := make(chan struct{})
	v.busy[id] = done
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.busy, id)
		close(done)
	}, nil
}

func (b *Backend) vsiPath(id host.UUID) string {
	return filepath.Join(b.runDir(), vsiFolder, id.String())
}

func (b *Backend) writeVSI(a host.Association) error {
	return b.writeRecord(vsiRecord{Machine: b.instance, Association: a, Since: time.Now()})
}

func (b *Backend) writeRecord(r vsiRecord) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	folder := serverFiles(filepath.Join(b.runDir(), vsiFolder))
	if err := folder.owned(true); err != nil {
		return err
	}
	return folder.replace(r.Association.Instance.String(), data)
}

// readVSI reads what was written down of a guest of this namespace.
func (b *Backend) readVSI(id host.UUID) (r vsiRecord, err error) {
	data, err := trust.ReadFile(b.vsiPath(id))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", b.vsiPath(id), err)
	}
	if r.Machine != b.instance {
		return r, fmt.Errorf("%s: of another machine or namespace: %w", b.vsiPath(id), fs.ErrNotExist)
	}
	return r, nil
}

// readVSIs reads what was written down of all guests of this namespace.
func (b *Backend) readVSIs() (all []vsiRecord, err error) {
	if err := b.lookRunDir(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(b.runDir(), vsiFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		var id host.UUID
		if id.UnmarshalText([]byte(e.Name())) != nil {
			continue // half written
		}
		r, readErr := b.readVSI(id)
		switch {
		case readErr == nil:
			all = append(all, r)
		case !errors.Is(readErr, fs.ErrNotExist):
			err = errors.Join(err, readErr)
		}
	}
	return all, err
}

func (b *Backend) removeVSI(id host.UUID) error { return os.Remove(b.vsiPath(id)) }
