// SPDX-License-Identifier: Apache-2.0

package network

import (
	"github.com/go-virtnet/virtnet/network/schema"
)

// ownNamespace is that of what this library adds to the dialect.
const ownNamespace = "https://go-virtnet.github.io/schemas/network/1.0"

// checkOwn refuses what is not known in an element that has the attributes and elements of our own namespace. Nobody but this
// library gives it a meaning, so it is a slip.
func checkOwn(c *schema.Check, x schema.Extra, attrs, elements []string) {
	for _, a := range x.Attrs {
		if a.Name.Space == "" && attrs != nil {
			c.Deviates(false, OwnWord, "@"+a.Name.Local, "there is no attribute %s here%s", a.Name.Local, didYouMean(a.Name.Local, "", attrs))
		}
	}
	for _, x := range x.Nodes {
		if x.Name.Space == ownNamespace {
			c.Deviates(false, OwnWord, "virtnet:"+x.Name.Local, "there is no element virtnet:%s here%s", x.Name.Local, didYouMean(x.Name.Local, "virtnet:", elements))
		}
	}
}

func didYouMean(word, prefix string, words []string) string {
	if near := schema.Nearest(word, words); near != "" {
		return " (did you mean " + prefix + near + "?)"
	}
	return ""
}
