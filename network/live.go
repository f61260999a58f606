// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"sync"
)

// liveDocuments are those of networks that run, as they were last read: a network's record has all that was built for it, and a
// port wants to know only the document. One holds as long as the record has the same bytes.
type liveDocuments struct {
	mu sync.Mutex
	by map[string]liveDocument
}

type liveDocument struct {
	record   [sha256.Size]byte
	instance string
	document *Network
}

// get returns the document that goes with a record; nil if it is not known.
func (l *liveDocuments) get(name, instance string, record []byte) *Network {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.by[name]
	if !ok || d.instance != instance || d.record != sha256.Sum256(record) {
		return nil
	}
	return d.document.Clone()
}

func (l *liveDocuments) put(name, instance string, record []byte, n *Network) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]liveDocument{}
	}
	l.by[name] = liveDocument{sha256.Sum256(record), instance, n.Clone()}
}

func (l *liveDocuments) drop(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, name)
}

// liveOf returns the live document of a network and the machine that it runs on; fs.ErrNotExist if it does not run. The
// caller holds the network's lock.
func (m *Manager) liveOf(ctx context.Context, name string) (*Network, string, error) {
	instance, err := m.instance(ctx)
	if err != nil {
		return nil, "", err
	}
	data, err := m.store.Load(ctx, runName(name))
	if errors.Is(err, fs.ErrNotExist) {
		m.documents.drop(name)
	}
	if err != nil {
		return nil, "", err
	}
	if n := m.documents.get(name, instance, data); n != nil {
		return n, instance, nil
	}
	r, err := m.running(ctx, name)
	if err != nil {
		return nil, "", err
	}
	n, err := r.live()
	if err == nil {
		m.documents.put(name, instance, data, n)
	}
	return n, instance, err
}
