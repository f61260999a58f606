// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

func demoOnKernel(context.Context, io.Writer) error { return errors.ErrUnsupported }
