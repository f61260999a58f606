// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
)

// validate checks documents and prints a line for each violation.
func validate(_ context.Context, c *call) error {
	found := false
	var failed []error // what is no violation: a file that is not there
	for _, file := range c.args {
		if _, err := check(file); err != nil {
			if err = c.violations(file, err); errors.Is(err, errFound) {
				found = true
				continue
			}
			failed = append(failed, err)
		}
	}
	if len(failed) == 0 && found {
		return errFound
	}
	return errors.Join(failed...)
}

// format prints a document in libvirt's layout. What breaks a rule is printed all the same; what cannot be read is not.
func format(_ context.Context, c *call) error {
	file := c.arg(0)
	d, err := read(file)
	if err != nil {
		return c.violations(file, err)
	}
	text, err := d.Format()
	if err != nil {
		return err
	}
	_, err = c.out.Write(text)
	return err
}
