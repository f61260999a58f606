// SPDX-License-Identifier: Apache-2.0

//go:build !virtnet_nodbus

package dbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// A Conn is a connection to a bus. It has to be closed.
type Conn struct{ conn *dbus.Conn }

// Open connects to the bus at an address in the words of D-Bus. No bus there is ErrNone.
func Open(ctx context.Context, address string) (*Conn, error) {
	// Most hosts without a bus have no socket either, and are looked at more often than spoken to.
	if path, alone := strings.CutPrefix(address, "unix:path="); alone && !strings.ContainsAny(path, ",;%") {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w (%w)", ErrNone, err)
		}
	}
	opening, done := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, done)
	conn, err := dbus.Connect(address, dbus.WithContext(opening), dbus.WithAuth(dbus.AuthExternal(strconv.Itoa(os.Geteuid()))))
	if !stop() && err == nil {
		err = errors.Join(ctx.Err(), conn.Close())
	}
	switch {
	case err == nil:
		context.AfterFunc(conn.Context(), done)
		return &Conn{conn}, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, io.EOF):
		err = fmt.Errorf("%w (%w)", ErrNone, err)
	}
	done()
	return nil, err
}

// Close ends the connection.
func (c *Conn) Close() { _ = c.conn.Close() }

// Runs reports whether a program has that name on the bus. It does not have one started.
func (c *Conn) Runs(ctx context.Context, name string) (runs bool, err error) {
	bus := Object{Name: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus"}
	err = c.Ask(ctx, bus, "org.freedesktop.DBus.NameHasOwner", []any{name}, &runs)
	return runs, err
}

// Ask calls a method of an object, and puts the answer into results. An answer that it cannot be done is an *Error; who is
// not allowed to ask gets fs.ErrPermission, and an object whose program has gone is ErrGone.
func (c *Conn) Ask(ctx context.Context, object Object, method string, args []any, results ...any) error {
	call := c.conn.Object(object.Name, dbus.ObjectPath(object.Path)).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
	if call.Err != nil {
		return translate(call.Err)
	}
	return call.Store(results...)
}

// Tell calls a method and waits for no answer. The program gets it behind all that it was asked before.
func (c *Conn) Tell(object Object, method string, args ...any) {
	c.conn.Object(object.Name, dbus.ObjectPath(object.Path)).Go(method, dbus.FlagNoAutoStart|dbus.FlagNoReplyExpected, nil, args...)
}

// translate gives an error of D-Bus the class that it has here.
func translate(err error) error {
	if errors.Is(err, dbus.ErrClosed) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the message bus has ended", ErrGone)
	}
	var answer dbus.Error
	if !errors.As(err, &answer) {
		return err
	}
	e := &Error{Name: answer.Name}
	if len(answer.Body) > 0 {
		e.Text, _ = answer.Body[0].(string)
	}
	switch name := strings.TrimPrefix(answer.Name, "org.freedesktop.DBus.Error."); {
	case name == "ServiceUnknown", name == "NameHasNoOwner", name == "NoReply", name == "Disconnected":
		return fmt.Errorf("%w: %w", ErrGone, e)
	case name == "AccessDenied", name == "AuthFailed", name == "InteractiveAuthorizationRequired", strings.Contains(name, "NotAuthorized"):
		return fmt.Errorf("%w: %w", fs.ErrPermission, e)
	}
	return e
}

// Listen subscribes to what programs tell of themselves, and to their coming and going. Once it has returned all of that is
// heard, as the name of the program, until ctx ends or the connection is lost.
func (c *Conn) Listen(ctx context.Context, names ...string) (iter.Seq[string], error) {
	heard := make(chan *dbus.Signal, 64)
	c.conn.Signal(heard)
	for _, name := range names {
		for _, match := range [][]dbus.MatchOption{
			{dbus.WithMatchSender(name)},
			{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, name)},
		} {
			if err := c.conn.AddMatchSignalContext(ctx, match...); err != nil {
				return nil, translate(err)
			}
		}
	}
	return func(yield func(string) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case signal, ok := <-heard:
				if !ok {
					return
				}
				for _, name := range names {
					if isOf(signal, name) && !yield(name) {
						return
					}
				}
			}
		}
	}, nil
}

// isOf reports whether a signal is about a program. Its sender is a number; but what it says begins with its name.
func isOf(signal *dbus.Signal, name string) bool {
	if strings.HasPrefix(signal.Name, name+".") {
		return true
	}
	about, ok := "", false
	if len(signal.Body) > 0 { // the owner or the properties of
		about, ok = signal.Body[0].(string)
	}
	return ok && (about == name || strings.HasPrefix(about, name+"."))
}
