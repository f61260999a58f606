// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// database is the name of the one of Open vSwitch.
const database = "Open_vSwitch"

// An operation is a part of a transaction.
type operation map[string]any

// A condition chooses rows, together with others.
type condition [3]any

// everywhere chooses all rows of a table.
var everywhere = []condition{}

func where(column, function string, value any) []condition {
	return []condition{{column, function, value}}
}

func find(table string, rows []condition, columns ...string) operation {
	return operation{"op": "select", "table": table, "where": rows, "columns": columns}
}

// insert makes a row that other operations of the transaction know by that name.
func insert(table string, name named, row map[string]any) operation {
	return operation{"op": "insert", "table": table, "uuid-name": string(name), "row": row}
}

func update(table string, rows []condition, row map[string]any) operation {
	return operation{"op": "update", "table": table, "where": rows, "row": row}
}

func mutate(table string, rows []condition, mutations ...condition) operation {
	return operation{"op": "mutate", "table": table, "where": rows, "mutations": mutations}
}

func remove(table string, rows []condition) operation {
	return operation{"op": "delete", "table": table, "where": rows}
}

// expect fails the transaction unless exactly one row has that name, or none.
func expect(table, name string, there bool) operation {
	rows := []any{}
	if there {
		rows = append(rows, map[string]any{"name": name})
	}
	return operation{
		"op": "wait", "timeout": 0, "table": table, "where": where("name", "==", name), "columns": []string{"name"}, "until": "==", "rows": rows,
	}
}

// A refusal is an operation that the database did not carry out, so that nothing of its transaction was.
type refusal struct {
	// number is that of the operation, and that behind the last if the whole could not be.
	number        int
	code, details string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %s", r.code, r.details) }

// transact does all operations or none, and reads the rows of those that select some into results, in their order.
func (c *conn) transact(ctx context.Context, operations []operation, results ...any) error {
	return c.transactWithin(ctx, patience, operations, results...)
}

func (c *conn) transactWithin(ctx context.Context, within time.Duration, operations []operation, results ...any) error {
	params := []any{database}
	for _, o := range operations {
		params = append(params, o)
	}
	var answers []*struct {
		Error, Details string
		Rows           json.RawMessage
	}
	if err := c.call(ctx, within, "transact", params, &answers); err != nil {
		return err
	}
	for number, answer := range answers {
		switch {
		case answer == nil:
		case answer.Error != "":
			return fmt.Errorf("Open vSwitch at %s: %w", c.path, &refusal{number, answer.Error, answer.Details})
		case answer.Rows != nil && len(results) > 0:
			if err := json.Unmarshal(answer.Rows, results[0]); err != nil {
				return fmt.Errorf("Open vSwitch at %s: %w", c.path, err)
			}
			results = results[1:]
		}
	}
	return nil
}
