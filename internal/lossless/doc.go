// SPDX-License-Identifier: Apache-2.0

// Package lossless holds no code; its tests prove that documents survive being read and written: all those in the
// testdata of this repository and, if the environment variable VIRTNET_CORPUS names a folder of more (see
// internal/compat), all those in it.
//
// What is written is the document that was read, as a tree of elements, attributes and texts, apart from this:
//
//   - Comments, processing instructions, the document type, white space between elements and the choice of prefixes
//     are not kept; text between elements is kept as words with one blank between them.
//   - Attributes and known elements come in libvirt's order, what is unknown follows them in its own; elements of
//     one name keep theirs.
//   - Values have one spelling: numbers, addresses, UUIDs, the model of a card. A PCI address has all its numbers, and a
//     network and an owner have a name, if an empty one.
//   - An attribute that is given but empty may be absent, where both mean the same, and so may an element of text
//     that has nothing.
//   - Of the elements that add up, such as <mtu>, there is one. Elements that count in whatever namespace they are
//     lose it.
package lossless
