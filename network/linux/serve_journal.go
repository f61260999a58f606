// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/trust"
	"github.com/go-virtnet/virtnet/network/host"
)

const (
	// journalFile has a line for each lease that was given, renewed or given back since the file of leases was written.
	journalFile = "journal"
	// maxJournal is how long it may become until the leases are written anew.
	maxJournal = 1 << 20
)

// A journal writes down what a server gives out, in a time that does not depend on how much that is. What is written is
// safe from the end of the process, however it ends. The end of the machine ends its guests as well.
type journal struct {
	files serverFiles
	name  string
	// file is nil until something is written.
	file   *os.File
	size   int64
	leases map[netip.Addr]host.Lease
}

// newJournal begins an empty journal beside the file of leases, which has these.
func (f serverFiles) newJournal(name string, leases []host.Lease) *journal {
	j := &journal{files: f, name: name, leases: map[netip.Addr]host.Lease{}}
	for _, l := range leases {
		j.leases[l.Addr] = l
	}
	return j
}

func (j *journal) open() (err error) {
	if j.file == nil {
		j.file, err = trust.Create(j.files.path(journalFile), 0o600)
	}
	return err
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

// keep writes changes down, all of them or none.
func (j *journal) keep(changes []host.LeaseChange) error {
	if err := j.open(); err != nil {
		return err
	}
	var lines []byte
	for _, c := range changes {
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	if _, err := j.file.WriteAt(lines, j.size); err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(len(lines))
	apply(j.leases, changes)
	if j.size < maxJournal {
		return nil
	}
	return j.fold()
}

// fold writes the leases anew and begins with an empty journal. Killed in between, what is in both files is the same.
func (j *journal) fold() error {
	text, err := dnsmasq.FormatLeases(j.name, sorted(j.leases))
	if err != nil {
		return err
	}
	if err := j.files.replace(leaseFile, text); err != nil {
		return err
	}
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	j.size = 0
	return nil
}

func apply(leases map[netip.Addr]host.Lease, changes []host.LeaseChange) {
	for _, c := range changes {
		if c.Gone {
			delete(leases, c.Lease.Addr)
		} else {
			leases[c.Lease.Addr] = c.Lease
		}
	}
}

func sorted(leases map[netip.Addr]host.Lease) []host.Lease {
	list := make([]host.Lease, 0, len(leases))
	for _, l := range leases {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b host.Lease) int { return a.Addr.Compare(b.Addr) })
	return list
}

// foldJournal writes what a journal says into the file of leases, and removes it.
func (f serverFiles) foldJournal(name string) error {
	if _, err := os.Lstat(f.path(journalFile)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	leases, err := f.readLeases()
	if err != nil {
		return err
	}
	text, err := dnsmasq.FormatLeases(name, leases)
	if err != nil {
		return err
	}
	if err := f.replace(leaseFile, text); err != nil {
		return err
	}
	return os.Remove(f.path(journalFile))
}

// readJournaled reads the leases and the journal that belong together: while the leases are replaced the journal may be of the
// ones before.
func (f serverFiles) readJournaled() (leases []host.Lease, err error) {
	for {
		before, err := os.Lstat(f.path(leaseFile))
		if err != nil {
			return nil, err
		}
		data, err := trust.ReadFile(f.path(leaseFile))
		if err != nil {
			return nil, err
		}
		if leases, err = dnsmasq.ParseLeases(data); err != nil {
			return leases, err
		}
		if leases, err = f.withJournal(leases); err != nil {
			return leases, err
		}
		after, err := os.Lstat(f.path(leaseFile))
		if err != nil {
			return nil, err
		}
		if os.SameFile(before, after) && before.ModTime().Equal(after.ModTime()) {
			return leases, nil
		}
	}
}

// withJournal adds to leases what a journal says, if there is one. A line that is cut off was never acknowledged.
func (f serverFiles) withJournal(leases []host.Lease) ([]host.Lease, error) {
	data, err := trust.ReadFile(f.path(journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return leases, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[netip.Addr]host.Lease{}
	for _, l := range leases {
		all[l.Addr] = l
	}
	for line := range bytes.Lines(data) {
		var c host.LeaseChange
		if json.Unmarshal(line, &c) == nil {
			apply(all, []host.LeaseChange{c})
		}
	}
	return sorted(all), nil
}
