// SPDX-License-Identifier: Apache-2.0

// Package dbus asks other programs over D-Bus. A connection is opened for a question or two and closed again, for they are
// few, and neither the bus nor the programs on it have to stay.
//
// The library for D-Bus makes up a tenth of a small program. One that is built with the tag virtnet_nodbus has none, and
// finds no bus.
package dbus

import (
	"context"
	"errors"
	"os"
)

// ErrGone is for a program that is not on the bus, or was not there any more to answer.
var ErrGone = errors.New("it does not run")

// ErrNone is for a bus that is not there. It is an ErrGone as well, for nothing is on it.
var ErrNone error = none{}

type none struct{}

func (none) Error() string        { return "there is no message bus" }
func (none) Is(target error) bool { return target == ErrGone }

// An Error is a program's answer that it cannot do what it was asked for.
type Error struct {
	// Name is what D-Bus calls the error, and Text what the program says.
	Name, Text string
}

// Error is what the program says.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Name
	}
	return e.Text
}

// System is the address of the system bus: that of DBUS_SYSTEM_BUS_ADDRESS or, without it, the usual one.
func System() string {
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		return address
	}
	return "unix:path=/run/dbus/system_bus_socket"
}

// Reach connects to the bus at an address for the sake of the program of that name. It is ErrGone if that is not on the bus, or
// there is no bus.
func Reach(ctx context.Context, address, name string) (*Conn, error) {
	conn, err := Open(ctx, address)
	if err != nil {
		return nil, err
	}
	runs, err := conn.Runs(ctx, name)
	if err == nil && !runs {
		err = ErrGone
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// An Object is something of a program on the bus.
type Object struct{ Name, Path string }
