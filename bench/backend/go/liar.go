// SPDX-License-Identifier: MIT

//go:build liar

package main

const lying = true
