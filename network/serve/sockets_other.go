// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package serve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// sockets are what a server has open: here nothing.
type sockets struct{}

func (*sockets) add(net.Conn) error { return errors.ErrUnsupported }
func (*sockets) drop(net.Conn)      {}
func (*sockets) close() error       { return nil }

func (s *server) listen(context.Context) error { return errors.ErrUnsupported }

func (s *server) dial(context.Context, string, netip.AddrPort, time.Time) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func (e *Engine) exchange(*net.UDPConn, question, []byte) ([]byte, error) {
	return nil, errors.ErrUnsupported
}
