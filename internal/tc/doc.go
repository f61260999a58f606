// SPDX-License-Identifier: Apache-2.0

// Package tc speaks the part of rtnetlink that controls traffic: queueing disciplines, classes and filters. It knows the
// kernel's units and messages, and neither documents nor plans.
//
// Queueing disciplines and classes are written with github.com/florianl/go-tc. Filters are written with messages of our
// own, because the library puts the hash of a u32 selector at the wrong place; everything is read with decoders of our
// own, because the library reads the objects of all links at once and fails at the first attribute it does not know.
//
//	c := tc.New(enter, rt)
//	defer c.Close()
//	err := c.AddRoot(index, 2)
package tc
