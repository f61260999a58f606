// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadRequest(t *testing.T) {
	read := func(words ...string) []byte { return []byte("\x00\x01" + strings.Join(words, "\x00") + "\x00") }
	for name, c := range map[string]struct {
		packet []byte
		want   *tftpRequest
		accept string
	}{
		"plain": {read("pxe.0", "octet"), &tftpRequest{file: "pxe.0", block: 512, wait: time.Second}, ""},
		"options": {read("pxe.0", "OCTET", "tsize", "0", "blksize", "1468", "timeout", "3"),
			&tftpRequest{file: "pxe.0", block: 1468, wait: 3 * time.Second, size: true, asked: []string{"tsize", "blksize", "timeout"}},
			"\x00\x06tsize\x007000\x00blksize\x001468\x00timeout\x003\x00"},
		"options that are not known, or not sensible": {read("a", "octet", "windowsize", "4", "blksize", "7", "timeout", "0", "timeout", "x", "blksize"),
			&tftpRequest{file: "a", block: 512, wait: time.Second}, ""},
		"more than fits": {read("a", "octet", "blksize", "70000"), &tftpRequest{file: "a", block: mostBlock, wait: time.Second, asked: []string{"blksize"}},
			"\x00\x06blksize\x0065464\x00"},
		"text": {read("a", "netascii", "tsize", "0"), &tftpRequest{file: "a", block: 512, wait: time.Second, text: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readRequest(c.packet)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, c.accept, string(got.acceptance(7000)))
		})
	}
	for name, packet := range map[string][]byte{
		"nothing": nil, "to be written": []byte("\x00\x02a\x00octet\x00"), "no mode": read("a"), "another mode": read("a", "mail"),
		"cut off": []byte("\x00\x01a\x00octet"), "an answer": {0, 4, 0, 1},
	} {
		_, err := readRequest(packet)
		require.Error(t, err, name)
		require.Equal(t, "\x00\x05\x00\x04", string(refusalPacket(err)[:4]), name)
	}
	require.Equal(t, "\x00\x05\x00\x01no such file\x00", string(refusalPacket(&fs.PathError{Err: fs.ErrNotExist})))
	require.Equal(t, "\x00\x05\x00\x02not to be read\x00", string(refusalPacket(fs.ErrPermission)))
	require.Equal(t, "\x00\x05\x00\x00not now\x00", string(refusalPacket(errors.New("what only the host should know"))))
}

func TestNetASCII(t *testing.T) {
	got, err := io.ReadAll(&netASCII{in: bufio.NewReader(strings.NewReader("one\ntwo\r\nthree\r"))})
	require.NoError(t, err)
	require.Equal(t, "one\r\ntwo\r\x00\r\nthree\r\x00", string(got))
}

func FuzzTFTP(f *testing.F) {
	f.Add([]byte("\x00\x01pxe.0\x00octet\x00blksize\x001468\x00tsize\x000\x00"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		_, _ = acked(packet)
		r, err := readRequest(packet)
		if err != nil {
			return
		}
		if r.block < 8 || r.block > mostBlock || r.wait < time.Second || r.wait > mostWait {
			t.Fatalf("%+v", r)
		}
		_ = r.acceptance(1)
	})
}
