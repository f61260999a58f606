// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// fetch reads a file by TFTP, and returns it, or what the server says instead.
func fetch(t *testing.T, ns *testenv.Namespace, name string, options ...string) (content []byte, refused string) {
	t.Helper()
	var conn *net.UDPConn
	ns.Run(t, func() {
		var err error
		conn, err = net.ListenUDP("udp4", nil)
		require.NoError(t, err)
	})
	defer conn.Close()
	request := []byte("\x00\x01" + name + "\x00octet\x00")
	for _, word := range options {
		request = append(append(request, word...), 0)
	}
	to, block, size := netip.MustParseAddrPort("10.9.0.1:69"), uint16(0), 512
	buffer := make([]byte, 1<<16)
	for send := request; ; {
		_, err := conn.WriteToUDPAddrPort(send, to)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		require.NoError(t, err)
		to = from
		switch binary.BigEndian.Uint16(buffer) {
		case 5:
			return nil, string(bytes.TrimSuffix(buffer[4:n], []byte{0}))
		case 6:
			size = 1400
			send = []byte{0, 4, 0, 0}
			continue
		}
		require.Equal(t, uint16(3), binary.BigEndian.Uint16(buffer))
		if got := binary.BigEndian.Uint16(buffer[2:]); got == block+1 {
			block = got
			content = append(content, buffer[4:n]...)
		}
		send = []byte{0, 4, buffer[2], buffer[3]}
		if n-4 < size {
			_, err = conn.WriteToUDPAddrPort(send, to)
			require.NoError(t, err)
			return content, ""
		}
	}
}

// readable is a folder that servers can read.
func readable(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	return root
}

// TestTFTP reads files of the folder, and nothing outside it.
func TestTFTP(t *testing.T) { onBoth(t, testTFTP) }

func testTFTP(t *testing.T, p *place) {
	root := readable(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	require.NoError(t, os.Mkdir(filepath.Join(root, "sub"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "sub", "big"), big, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "even"), big[:1024], 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "empty"), nil, 0o644))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(root, "link")))
	op := serve4()
	op.Server.Subnets[0].TFTPRoot = root
	do(t, p.Backend, op)
	guest := p.guest(t, "port1", "52:54:00:00:00:01")
	guest.Output(t, "ip", "addr", "add", "10.9.0.50/24", "dev", "eth0")
	for name, want := range map[string][]byte{
		"sub/big": big, "/sub/big": big, filepath.Join(root, "sub", "big"): big, "even": big[:1024], "empty": nil,
	} {
		got, refused := fetch(t, guest, name)
		require.Empty(t, refused, name)
		require.True(t, bytes.Equal(want, got), "%s: %d bytes", name, len(got))
		got, refused = fetch(t, guest, name, "blksize", "1400")
		require.Empty(t, refused, name)
		require.True(t, bytes.Equal(want, got), "%s in larger blocks: %d bytes", name, len(got))
	}
	outside := []string{"nothing", "../../../../../../../etc/passwd", "/etc/passwd", "sub"}
	if p.here {
		outside = append(outside, "link") // dnsmasq follows links
	}
	for _, name := range outside {
		_, refused := fetch(t, guest, name)
		require.NotEmpty(t, refused, name)
	}
	do(t, p.Backend, op.Inverse())
	p.empty(t)
}
