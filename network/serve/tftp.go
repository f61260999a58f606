// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// The packets and errors of RFC 1350 and 2347.
const (
	tftpRead    = 1
	tftpData    = 3
	tftpAck     = 4
	tftpError   = 5
	tftpOptions = 6

	tftpUndefined = 0
	tftpNotFound  = 1
	tftpDenied    = 2
	tftpIllegal   = 4

	usualBlock = 512
	mostBlock  = 65464
	usualWait  = time.Second
	// mostWait is how long a client may make us wait for it, six times: a place is not kept for the silent.
	mostWait = 5 * time.Second
)

// A tftpRequest is what a client wants to read.
type tftpRequest struct {
	file string
	// block is how many bytes go into a packet, and wait how long the client's silence is borne.
	block int
	wait  time.Duration
	// asked are the options of the client that are known here, in its order, and size is whether it wants to know that.
	asked []string
	size  bool
	// text is whether ends of lines are to be those of the network.
	text bool
}

// tftpRefusal is an error that a client is told.
type tftpRefusal struct {
	code uint16
	text string
}

func (e *tftpRefusal) Error() string { return e.text }

// readRequest reads the first packet of a client.
func readRequest(p []byte) (*tftpRequest, error) {
	if len(p) < 2 || binary.BigEndian.Uint16(p) != tftpRead {
		return nil, &tftpRefusal{tftpIllegal, "files can be read here, and nothing else"}
	}
	words := strings.Split(string(p[2:]), "\x00")
	if len(words) < 3 || words[len(words)-1] != "" {
		return nil, &tftpRefusal{tftpIllegal, "the request is cut off"}
	}
	words = words[:len(words)-1]
	r := &tftpRequest{file: words[0], block: usualBlock, wait: usualWait}
	switch strings.ToLower(words[1]) {
	case "octet":
	case "netascii":
		r.text = true
	default:
		return nil, &tftpRefusal{tftpIllegal, fmt.Sprintf("the modes are octet and netascii, not %.20q", words[1])}
	}
	for k := 2; k+1 < len(words); k += 2 {
		r.option(strings.ToLower(words[k]), words[k+1])
	}
	return r, nil
}

// option takes an option that is known here: RFC 2348 and 2349. Others are as if they had not been sent.
func (r *tftpRequest) option(name, value string) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return
	}
	switch {
	case name == "blksize" && n >= 8:
		r.block = min(n, mostBlock)
	case name == "timeout" && n >= 1 && n <= int(mostWait/time.Second):
		r.wait = time.Duration(n) * time.Second
	case name == "tsize" && !r.text:
		r.size = true
	default:
		return
	}
	r.asked = append(r.asked, name)
}

// acceptance tells a client which of its options hold, nil if it had none.
func (r *tftpRequest) acceptance(size int64) []byte {
	if len(r.asked) == 0 {
		return nil
	}
	p := binary.BigEndian.AppendUint16(nil, tftpOptions)
	for _, name := range r.asked {
		value := size
		switch name {
		case "blksize":
			value = int64(r.block)
		case "timeout":
			value = int64(r.wait / time.Second)
		}
		p = fmt.Appendf(p, "%s\x00%d\x00", name, value)
	}
	return p
}

// refusalPacket tells a client why it does not get what it wants. Why it is not there, or not to be read, is not told further.
func refusalPacket(err error) []byte {
	refusal := &tftpRefusal{tftpUndefined, "not now"}
	switch {
	case errors.As(err, &refusal):
	case errors.Is(err, fs.ErrNotExist):
		refusal = &tftpRefusal{tftpNotFound, "no such file"}
	case errors.Is(err, fs.ErrPermission):
		refusal = &tftpRefusal{tftpDenied, "not to be read"}
	}
	p := binary.BigEndian.AppendUint16(nil, tftpError)
	p = binary.BigEndian.AppendUint16(p, refusal.code)
	return append(append(p, refusal.text...), 0)
}

// acked is the number of the block that a client has, if the packet says that.
func acked(p []byte) (block uint16, ok bool) {
	if len(p) < 4 || binary.BigEndian.Uint16(p) != tftpAck {
		return 0, false
	}
	return binary.BigEndian.Uint16(p[2:]), true
}

// dataPacket is a block of a file.
func dataPacket(block uint16, data []byte) []byte {
	p := binary.BigEndian.AppendUint16(make([]byte, 0, 4+len(data)), tftpData)
	return append(binary.BigEndian.AppendUint16(p, block), data...)
}

// netASCII reads a text with the ends of lines of the network: RFC 764.
type netASCII struct {
	in   *bufio.Reader
	rest bytes.Buffer
}

func (a *netASCII) Read(p []byte) (int, error) {
	for a.rest.Len() < len(p) {
		b, err := a.in.ReadByte()
		if err != nil {
			break
		}
		switch b {
		case '\n':
			a.rest.WriteString("\r\n")
		case '\r':
			a.rest.WriteString("\r\x00")
		default:
			a.rest.WriteByte(b)
		}
	}
	return a.rest.Read(p)
}
