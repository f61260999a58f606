// SPDX-License-Identifier: Apache-2.0

package host

// Operations lists one zero value of every operation.
var Operations = operations
