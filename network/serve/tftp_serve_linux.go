// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

const (
	tftpPort = 69
	// mostTries is how often a block is sent to a client that is silent.
	mostTries = 6
)

// listenTFTP opens the port of TFTP, and starts to answer.
func (s *server) listenTFTP(ctx context.Context, at netip.AddrPort) error {
	if _, err := os.ReadDir(s.tftpRoot(at.Addr())); err != nil {
		return opened("TFTP", err)
	}
	config := bound(s.link)
	conn, err := config.ListenPacket(ctx, "udp", at.String())
	if err != nil {
		return opened("TFTP", err)
	}
	if err := s.sockets.add(conn); err != nil {
		return err
	}
	s.running.Go(func() { s.serveTFTP(ctx, conn.(*net.UDPConn), at.Addr()) })
	return nil
}

// serveTFTP starts a transfer for each request. Each has a port of its own, as RFC 1350 wants it.
func (s *server) serveTFTP(ctx context.Context, conn *net.UDPConn, at netip.Addr) {
	ctx = context.WithoutCancel(ctx)
	s.hear(conn, func(a *arena) {
		for _, p := range a.packets {
			if !s.enter(&s.transfers, p.from.Addr()) {
				continue // the client will ask again
			}
			request, refusal := readRequest(p.data)
			s.running.Go(func() {
				defer s.leave(&s.transfers, p.from.Addr())
				s.warn(s.transfer(ctx, request, refusal, at, p.from))
			})
		}
	})
}

// transfer sends a file, or why it does not.
func (s *server) transfer(ctx context.Context, r *tftpRequest, refusal error, at netip.Addr, client netip.AddrPort) error {
	var conn net.PacketConn
	err := s.ground.Enter(func() (err error) {
		config := bound(s.link)
		conn, err = config.ListenPacket(ctx, "udp", netip.AddrPortFrom(at, 0).String())
		return err
	})
	if err != nil {
		return err
	}
	if s.sockets.add(conn) != nil {
		return nil
	}
	defer s.sockets.drop(conn)
	t := &transfer{conn: conn.(*net.UDPConn), client: client}
	if refusal == nil {
		refusal = t.file(r, s.tftpRoot(at))
	}
	if refusal != nil {
		_, _ = t.conn.WriteToUDPAddrPort(refusalPacket(refusal), client)
	}
	return nil
}

// tftpRoot is the folder that is served at an address.
func (s *server) tftpRoot(at netip.Addr) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.doc.Subnets {
		if sub := &s.doc.Subnets[i]; sub.Prefix.Addr() == at {
			return sub.TFTPRoot
		}
	}
	return ""
}

// A transfer sends one file to one client.
type transfer struct {
	conn   *net.UDPConn
	client netip.AddrPort
}

// file sends a file below a folder, and nothing outside it, wherever links lead.
func (t *transfer) file(r *tftpRequest, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	name := strings.TrimLeft(strings.ReplaceAll(strings.TrimPrefix(r.file, folder), `\`, "/"), "/")
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fs.ErrNotExist
	}
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	var content io.Reader = bufio.NewReaderSize(file, 1<<16)
	if r.text {
		content = &netASCII{in: content.(*bufio.Reader)}
	}
	if p := r.acceptance(info.Size()); p != nil {
		if err := t.send(p, 0, r.wait); err != nil {
			return err
		}
	}
	return t.blocks(content, r)
}

// blocks sends a file block by block. The last one is not full. Numbers begin again behind the last: files may be long.
func (t *transfer) blocks(content io.Reader, r *tftpRequest) error {
	buffer := make([]byte, r.block)
	for block := uint16(1); ; block++ {
		n, err := io.ReadFull(content, buffer)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		if err := t.send(dataPacket(block, buffer[:n]), block, r.wait); err != nil || last {
			return err
		}
	}
}

// send sends a packet until the client says that it has it. A client that is silent, or has enough, is left alone.
func (t *transfer) send(p []byte, block uint16, wait time.Duration) error {
	buffer := make([]byte, usualBlock)
	for range mostTries {
		if _, err := t.conn.WriteToUDPAddrPort(p, t.client); err != nil {
			return err
		}
		deadline := time.Now().Add(wait)
		for {
			if err := t.conn.SetReadDeadline(deadline); err != nil {
				return err
			}
			n, from, err := t.conn.ReadFromUDPAddrPort(buffer)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return err
			}
			if from != t.client {
				continue
			}
			if got, ok := acked(buffer[:n]); !ok {
				return &tftpRefusal{tftpUndefined, "the client has ended it"}
			} else if got == block {
				return nil
			}
		}
	}
	return &tftpRefusal{tftpUndefined, "the client is silent"}
}
