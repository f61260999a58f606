// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// An associationWatch is what a watcher knows of guests at switches.
type associationWatch struct {
	// known are those that the switches knew at the last look, and looked is when that was.
	known  []host.Association
	looked time.Time
	// notices is where the agent tells what switches do. It is nil as long as no switch was told of a guest, and where another
	// process listens: what happens is then seen at the next look.
	notices *rtnl.Notices
}

func (a *associationWatch) close() {
	if a.notices != nil {
		_ = a.notices.Close()
	}
}

// lookAtAssociations finds the guests that switches have taken in or forgotten, and those of an agent that was started anew,
// which has forgotten all of them and tells nobody.
func (w *watcher) lookAtAssociations() error {
	written, err := w.backend.readVSIs()
	if err != nil {
		return err
	}
	a := &w.associations
	if len(written)+len(a.known) == 0 {
		return nil
	}
	if a.notices == nil {
		if a.notices, err = w.backend.rt.Notices(); errors.Is(err, fs.ErrExist) {
			a.notices = nil
		} else if err != nil {
			return err
		}
	}
	f, now := &host.Facts{}, time.Now()
	if err := w.backend.associationFacts(context.Background(), host.Scope{All: true}, f); err != nil {
		return nil // What cannot be seen now is looked for again.
	}
	f.Sort()
	for _, lists := range [][2][]host.Association{{a.known, f.Associations}, {f.Associations, a.known}} {
		for _, one := range lists[0] {
			if !slices.Contains(lists[1], one) {
				w.tell(host.Change{Kind: host.AssociationChanged, Name: one.Link})
			}
		}
	}
	for _, r := range written { // what was known in between and is not any more
		if r.Since.After(a.looked) && !slices.Contains(f.Associations, r.Association) {
			w.tell(host.Change{Kind: host.AssociationChanged, Name: r.Association.Link})
		}
	}
	a.known, a.looked = f.Associations, now
	return nil
}

// readAgent reads what the agent has told, and looks at what has become of it.
func (w *watcher) readAgent() error {
	if w.associations.notices == nil {
		return nil
	}
	port, err := w.backend.agentPort()
	if err != nil {
		return nil // whoever has told something, it is not the agent
	}
	var told []host.UUID
	err = w.associations.notices.Read(port, func(n rtnl.PortNotice) {
		if n.Request == rtnl.PortDisassociate {
			told = append(told, n.Instance)
		}
	})
	if err != nil || len(told) == 0 {
		return err
	}
	for _, one := range w.associations.known {
		if slices.Contains(told, one.Instance) {
			w.tell(host.Change{Kind: host.AssociationChanged, Name: one.Link})
		}
	}
	return w.lookAtAssociations()
}
