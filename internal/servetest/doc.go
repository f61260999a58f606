// SPDX-License-Identifier: Apache-2.0

// Package servetest talks to the servers of networks as guests do, frame by frame, and writes down what they answer as words that
// can be compared. It is for tests: it makes network namespaces, and needs root.
package servetest
