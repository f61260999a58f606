// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"encoding/binary"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// A plug is the end of a link in a test's hands: frames of one type are sent and read there as they are.
type plug struct {
	t         *testing.T
	file      *os.File
	etherType uint16
}

func newPlug(t *testing.T, ns *testenv.Namespace, link string, etherType uint16) *plug {
	t.Helper()
	p := &plug{t: t, etherType: etherType}
	ns.Run(t, func() {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		require.NoError(t, err)
		p.file = os.NewFile(uintptr(fd), "frames of "+link)
		onWire := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, etherType))
		require.NoError(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: onWire, Ifindex: indexOf(t, link)}))
	})
	t.Cleanup(func() { p.file.Close() })
	return p
}

// receive waits for the next frame and returns what is in it. It is nil when the test ends.
func (p *plug) receive() []byte {
	frame := make([]byte, 2048)
	n, err := p.file.Read(frame)
	if err != nil || n < 14 {
		return nil
	}
	return frame[14:n]
}

// send sends a frame from an address of the test's own.
func (p *plug) send(to [6]byte, payload []byte) {
	frame := append(to[:len(to):len(to)], 2, 0, 0, 0, 0, 9)
	frame = append(binary.BigEndian.AppendUint16(frame, p.etherType), payload...)
	_, err := p.file.Write(frame)
	require.NoError(p.t, err)
}

// indexOf is the number of a link in the namespace of this thread.
func indexOf(t *testing.T, link string) int {
	t.Helper()
	found, err := net.InterfaceByName(link)
	require.NoError(t, err)
	return found.Index
}
