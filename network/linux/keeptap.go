// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.TapKeeper = (*Backend)(nil)

// KeepTap has a tap stay open from the moment it is made; see [host.TapKeeper]. It spares the kernel to close a descriptor,
// which it waits for, and to open another.
func (b *Backend) KeepTap(link string) (release func()) {
	if !b.taps.expect(link) {
		return func() {}
	}
	return func() { b.taps.drop(link) }
}

// keptTaps are the descriptors of taps, by their names, that nobody has asked for yet.
type keptTaps struct {
	sync.Mutex
	open map[string]int
}

// unmade stands for the descriptor of a tap that is yet to be made.
const unmade = -1

// expect has the next tap of that name kept, and reports whether nobody else has asked for that.
func (k *keptTaps) expect(link string) bool {
	k.Lock()
	defer k.Unlock()
	if _, taken := k.open[link]; taken {
		return false
	}
	if k.open == nil {
		k.open = map[string]int{}
	}
	k.open[link] = unmade
	return true
}

// put keeps the descriptor of a tap that was made, or closes it if nobody has asked for that.
func (k *keptTaps) put(link string, fd int) {
	k.Lock()
	had, expected := k.open[link]
	if expected {
		k.open[link] = fd
		fd = had
	}
	k.Unlock()
	closeTap(fd)
}

// take hands over the descriptor of a tap.
func (k *keptTaps) take(link string) (file *os.File, ok bool) {
	k.Lock()
	defer k.Unlock()
	fd, ok := k.open[link]
	if !ok || fd == unmade {
		return nil, false
	}
	delete(k.open, link)
	return os.NewFile(uintptr(fd), clone), true
}

// drop closes the descriptor of a tap that nobody has asked for.
func (k *keptTaps) drop(link string) {
	k.Lock()
	fd, ok := k.open[link]
	delete(k.open, link)
	k.Unlock()
	if ok {
		closeTap(fd)
	}
}

func (k *keptTaps) close() {
	k.Lock()
	defer k.Unlock()
	for _, fd := range k.open {
		closeTap(fd)
	}
	clear(k.open)
}

func closeTap(fd int) {
	if fd != unmade {
		unix.Close(fd)
	}
}
