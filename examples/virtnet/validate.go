// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
)

// validate checks documents and prints a line for each violation.
func validate(_ context.Context, out io.Writer, files []string) error {
	if len(files) == 0 {
		return errUsage
	}
	var errs []error
	for _, file := range files {
		if _, err := check(file); err != nil {
			errs = append(errs, printViolations(out, file, err))
		}
	}
	for _, err := range errs {
		if !errors.Is(err, errFound) {
			return errors.Join(errs...)
		}
	}
	if len(errs) > 0 {
		return errFound
	}
	return nil
}

// format prints a document in libvirt's layout. What breaks a rule is printed all the same; what cannot be read is not.
func format(_ context.Context, out io.Writer, files []string) error {
	if len(files) != 1 {
		return errUsage
	}
	d, err := read(files[0])
	if err != nil {
		return printViolations(out, files[0], err)
	}
	text, err := d.Format()
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}
