// SPDX-License-Identifier: Apache-2.0

//go:build virtnet_nodbus

package dbus

import (
	"context"
	"iter"
)

// A Conn is a connection to a bus, of which there is none.
type Conn struct{}

// Open finds no bus.
func Open(context.Context, string) (*Conn, error) { return nil, ErrNone }

// Close does nothing.
func (c *Conn) Close() {}

// Runs finds no program.
func (c *Conn) Runs(context.Context, string) (bool, error) { return false, ErrNone }

// Ask asks nobody.
func (c *Conn) Ask(context.Context, Object, string, []any, ...any) error { return ErrNone }

// Tell tells nobody.
func (c *Conn) Tell(Object, string, ...any) {}

// Listen hears nothing.
func (c *Conn) Listen(context.Context, ...string) (iter.Seq[string], error) { return nil, ErrNone }
