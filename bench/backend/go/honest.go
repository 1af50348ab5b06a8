// SPDX-License-Identifier: MIT

//go:build !liar

package main

// In the other build, for the tests, each result is a little wrong.
const lying = false
