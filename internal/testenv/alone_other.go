// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package testenv

import "testing"

// Alone runs all tests of a package where it is.
func Alone(m *testing.M) int { return m.Run() }
