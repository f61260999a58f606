// SPDX-License-Identifier: Apache-2.0

package network

// An attempt is one of several things that are done together. One with an error goes no further, and keeps no other from it.
type attempt struct{ err error }

func (a *attempt) failed() bool   { return a.err != nil }
func (a *attempt) fail(err error) { a.err = err }

// going are those without an error.
func going[T interface{ failed() bool }](all []T) (some []T) {
	for _, one := range all {
		if !one.failed() {
			some = append(some, one)
		}
	}
	return some
}

// failAll ends several for the same reason.
func failAll[T interface{ fail(error) }](all []T, err error) {
	for _, one := range all {
		one.fail(err)
	}
}
