// SPDX-License-Identifier: Apache-2.0

// Package xmldoc reads and writes whole XML documents for typed models whose fields carry the tags of
// encoding/xml. It does what [xml.Unmarshal] and [xml.Marshal] cannot: it knows the path, line and
// column of whatever is wrong and goes on to find the next; it keeps the first of an element that is
// given twice, and tells elements of a foreign namespace from ours; it bounds what a document may cost;
// and it writes the layout of libvirt.
//
// It is not a general XML library: it knows nothing of any dialect, and keeps no comments.
//
// A field may say more than its xml tag does in a second tag, doc, with these words:
//
//	blank   an attribute that is given but empty counts as absent
//	lax     in Compat mode the attribute is read by UnmarshalLax, which takes any token
//	anycase in Compat mode the attribute is read in lower case
//	alias   with Aliases the attribute is read by UnmarshalAlias, which takes more words
//	anyns   the element is found in whatever namespace it is
//	keep    in Compat mode a second element is kept as unknown content, where rules can see it
//	merge   a second element adds to the first
//	first   in Compat mode a second element adds to the first what that lacks, each attribute and each child
//	inside  in Compat mode a second element adds to the first the children that it lacks, and no attributes
//	zero    an attribute whose value reads as absent is kept as unknown content too
//	opaque  unknown content of the element is its content: kept in every mode
//	open    the element is written as a pair of tags even when it is empty
//	ours    in Compat mode the element is not known
//	leaves  the field keeps what elements of text have besides their text
//
//	alias=A      of a field _: with Aliases the attribute A is kept as unknown content in every mode
//	again=E      the field is written as a further element E, and never read
//	before=E:A=V the element is written before the element E where the attribute A next to it is V
package xmldoc
