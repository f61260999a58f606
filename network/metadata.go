// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// Metadata is a <metadata> element: what applications keep with the network. Each child is an element in
// a namespace of its application, at most one of each namespace.
//
//	<metadata>
//	  <app:owner xmlns:app='https://app.example/1'>alice</app:owner>
//	</metadata>
type Metadata struct{ schema.Extra }

// Of returns the element of the namespace space, nil when there is none.
func (m *Metadata) Of(space string) *schema.Node {
	if m == nil {
		return nil
	}
	for i := range m.Nodes {
		if m.Nodes[i].Name.Space == space && !m.Nodes[i].IsText() {
			return &m.Nodes[i]
		}
	}
	return nil
}
