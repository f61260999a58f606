// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// commit does a transaction that ovs-vswitchd has to carry out, and remembers which one it was.
func (c *conn) commit(ctx context.Context, operations []operation) error {
	var rows []struct {
		Next int `json:"next_cfg"`
	}
	operations = append(operations, mutate("Open_vSwitch", everywhere, condition{"next_cfg", "+=", 1}), find("Open_vSwitch", everywhere, "next_cfg"))
	if err := c.transact(ctx, operations, &rows); err != nil {
		return err
	}
	if len(rows) > 0 {
		c.next = rows[0].Next
	}
	return nil
}

// applied waits until ovs-vswitchd has carried out the last transaction that was committed.
func (c *conn) applied(ctx context.Context) error {
	deadline := time.Now().Add(patience)
	for {
		var rows []struct {
			Current int `json:"cur_cfg"`
		}
		if err := c.transact(ctx, []operation{find("Open_vSwitch", everywhere, "cur_cfg")}, &rows); err != nil {
			return err
		}
		if len(rows) == 0 || rows[0].Current >= c.next {
			return nil
		}
		left := time.Until(deadline)
		changed := operation{
			"op": "wait", "timeout": max(left.Milliseconds(), 0), "table": "Open_vSwitch", "where": everywhere,
			"columns": []string{"cur_cfg"}, "until": "!=", "rows": []any{map[string]any{"cur_cfg": rows[0].Current}},
		}
		err := c.transactWithin(ctx, left+patience, []operation{changed})
		var refused *refusal
		if errors.As(err, &refused) {
			return fmt.Errorf("ovs-vswitchd does not carry out what the database at %s says: %w", c.path, os.ErrDeadlineExceeded)
		}
		if err != nil {
			return err
		}
	}
}

// settle waits like applied, and finds out whether ovs-vswitchd could do with the link of a port what it was told.
func (c *conn) settle(ctx context.Context, link string) error {
	if err := c.applied(ctx); err != nil {
		return err
	}
	var rows []struct {
		Number set[int]    `json:"ofport"`
		Error  set[string] `json:"error"`
	}
	if err := c.transact(ctx, []operation{find("Interface", where("name", "==", link), "ofport", "error")}, &rows); err != nil {
		return err
	}
	if len(rows) == 0 {
		return fmt.Errorf("port %s of Open vSwitch: somebody has removed it: %w", link, fs.ErrNotExist)
	}
	if text := rows[0].Error.first(); text != "" || rows[0].Number.first() < 0 {
		return fmt.Errorf("port %s of Open vSwitch: %s: %w", link, text, fs.ErrInvalid)
	}
	return nil
}
