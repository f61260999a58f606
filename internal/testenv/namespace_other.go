// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package testenv

import "errors"

func mayUnshare() error { return errors.ErrUnsupported }
