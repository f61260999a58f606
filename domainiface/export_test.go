// SPDX-License-Identifier: Apache-2.0

package domainiface

// ActualOf is actualOf, for tests.
var ActualOf = actualOf

// BridgeOf is bridgeOf, for tests.
var BridgeOf = bridgeOf
