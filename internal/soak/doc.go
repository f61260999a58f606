// SPDX-License-Identifier: Apache-2.0

// Package soak lets many work on many networks for a long time, and looks whether anything is lost or left behind. As root:
//
//	go test ./internal/soak -soak 10m -ports 1000
package soak
