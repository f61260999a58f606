// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Memory returns a store that forgets everything when the program ends, for tests and for programs whose networks live
// no longer than themselves.
func Memory() Store { return &memory{files: map[string][]byte{}} }

type memory struct {
	locks keyedLock
	mu    sync.Mutex
	files map[string][]byte
}

func (m *memory) Load(ctx context.Context, name string) ([]byte, error) {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.files[name]
	if !ok {
		return nil, fmt.Errorf("store: %s: %w", name, fs.ErrNotExist)
	}
	return slices.Clone(data), nil
}

func (m *memory) Save(ctx context.Context, name string, data []byte) error {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = slices.Clone(data)
	return nil
}

func (m *memory) Remove(ctx context.Context, name string) error {
	if err := firstOf(ctx.Err(), checkStoreName(name)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
	return nil
}

func (m *memory) List(ctx context.Context, folder string) ([]string, error) {
	if err := firstOf(ctx.Err(), checkStoreName(folder)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range maps.Keys(m.files) {
		if rest, ok := strings.CutPrefix(name, folder+"/"); ok && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memory) Lock(ctx context.Context, name string) (func(), error) {
	if err := checkStoreName(name); err != nil {
		return nil, err
	}
	return m.locks.lock(ctx, name)
}

// A keyedLock is a mutex for each name, that can be given up waiting for. The zero keyedLock is ready.
type keyedLock struct {
	mu   sync.Mutex
	held map[string]*keyHolder
}

// A keyHolder is one name's mutex: a token lies in free when nobody holds it.
type keyHolder struct {
	free  chan struct{}
	users int
}

func (k *keyedLock) lock(ctx context.Context, name string) (func(), error) {
	k.mu.Lock()
	if k.held == nil {
		k.held = map[string]*keyHolder{}
	}
	h := k.held[name]
	if h == nil {
		h = &keyHolder{free: make(chan struct{}, 1)}
		h.free <- struct{}{}
		k.held[name] = h
	}
	h.users++
	k.mu.Unlock()

	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(k.held, name)
		}
	}
	select {
	case <-h.free:
		return sync.OnceFunc(func() { h.free <- struct{}{}; leave() }), nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
