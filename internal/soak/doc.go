// SPDX-License-Identifier: Apache-2.0

// Package soak lets many work on many networks for a long time, and looks whether anything is lost or left behind. Programs that
// do so are killed, one after the other, and what is found then is compared with what they had noted. As root:
//
//	go test ./internal/soak -run TestSoak$ -soak 10m -ports 1000 -timeout 1h
//	go test ./internal/soak -run TestSoakKilled -kills 500 -timeout 2h
package soak
