// SPDX-License-Identifier: Apache-2.0

// Package lab is a small laboratory of network namespaces: hosts, guests and the wires between them, for the demo and for
// tests with real packets. It needs root on Linux and the program ip.
package lab
