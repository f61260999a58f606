// SPDX-License-Identifier: Apache-2.0

package domainiface

// ActualOf is actualOf, for tests.
var ActualOf = actualOf
