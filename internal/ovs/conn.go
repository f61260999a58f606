// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"syscall"
	"time"
)

// patience is how long an answer is waited for, as ovs-vsctl is told to by libvirt.
const patience = 5 * time.Second

// A conn is a conversation with a database.
type conn struct {
	path   string
	socket net.Conn
	in     *json.Decoder
	id     int
	// next is the number of the last transaction that ovs-vswitchd has to carry out.
	next int
	// updates takes what the database tells unasked; nil drops it.
	updates func(params json.RawMessage) error
	// release ends the watch over the context.
	release func() bool
}

// dial begins a conversation that ends with ctx. Where nobody answers is errors.ErrUnsupported.
func dial(ctx context.Context, path string) (*conn, error) {
	if path == "" {
		return nil, fmt.Errorf("no socket of Open vSwitch is named: %w", errors.ErrUnsupported)
	}
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.ENOTDIR):
		// A socket that is missing is no missing port.
		return nil, fmt.Errorf("no Open vSwitch answers at %s (%v): %w", path, cause(err), errors.ErrUnsupported)
	default:
		return nil, fmt.Errorf("Open vSwitch at %s: %w", path, err)
	}
	c := &conn{path: path, socket: socket, in: json.NewDecoder(socket)}
	c.release = context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	return c, nil
}

// cause is what the system said.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func (c *conn) close() {
	c.release()
	_ = c.socket.Close()
}

// A message is a request, an answer, or what is told unasked.
type message struct {
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
	ID     json.RawMessage `json:"id"`
}

// call asks for something and waits for the answer.
func (c *conn) call(ctx context.Context, within time.Duration, method string, params, result any) error {
	err := c.ask(ctx, within, method, params, result)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("Open vSwitch at %s: %w", c.path, err)
}

func (c *conn) ask(ctx context.Context, within time.Duration, method string, params, result any) error {
	if err := c.socket.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err() // and not undo what its end has set
	}
	text, err := json.Marshal(params)
	if err != nil {
		return err
	}
	c.id++
	id := json.RawMessage(strconv.Itoa(c.id))
	if err := c.send(message{Method: method, Params: text, ID: id}); err != nil {
		return err
	}
	for {
		m, err := c.receive()
		switch {
		case err != nil:
			return err
		case m.Method != "" || !bytes.Equal(m.ID, id):
			continue
		case len(m.Error) > 0 && string(m.Error) != "null":
			return fmt.Errorf("%s: %s", method, m.Error)
		case result == nil:
			return nil
		}
		return json.Unmarshal(m.Result, result)
	}
}

func (c *conn) send(m message) error {
	text, err := json.Marshal(m)
	if err == nil {
		_, err = c.socket.Write(text)
	}
	return err
}

// receive reads one message, and answers it if the database only wants to know whether somebody is there.
func (c *conn) receive() (message, error) {
	var m message
	if err := c.in.Decode(&m); err != nil {
		return m, err
	}
	switch {
	case m.Method == "echo":
		return m, c.send(message{Result: m.Params, Error: json.RawMessage("null"), ID: m.ID})
	case m.Method == "update" && c.updates != nil:
		return m, c.updates(m.Params)
	}
	return m, nil
}
