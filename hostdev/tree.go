// SPDX-License-Identifier: Apache-2.0

package hostdev

// A tree finds the best of many candidates, which are known by their numbers: each node has the better one of the two
// nodes below it, as in a tournament, and the root has the winner. The nodes below number n are 2n and 2n+1; the root is
// number 1, and the last half of the nodes are the candidates.
type tree []int32

// nobody is in a node below which no candidate takes part.
const nobody = -1

// newTree returns a tree of n candidates, which all take part and are alike: the first wins.
func newTree(n int) tree {
	size := 1
	for size < n {
		size *= 2
	}
	t := make(tree, 2*size)
	for i := range size {
		t[size+i] = nobody
		if i < n {
			t[size+i] = int32(i)
		}
	}
	for at := size - 1; at > 0; at-- {
		t[at] = t[2*at]
	}
	return t
}

// winner returns the number of the best candidate, or nobody.
func (t tree) winner() int { return int(t[1]) }

// set lets candidate i take part or not, and holds its rounds again. The first says whether a, which stands earlier, is
// at least as good as b.
func (t tree) set(i int, takesPart bool, first func(a, b int32) bool) {
	at := len(t)/2 + i
	t[at] = nobody
	if takesPart {
		t[at] = int32(i)
	}
	for at /= 2; at > 0; at /= 2 {
		a, b := t[2*at], t[2*at+1]
		if a == nobody || b != nobody && !first(a, b) {
			a = b
		}
		if t[at] == a && a != int32(i) {
			return // what is above does not know i
		}
		t[at] = a
	}
}
