//go:build tools

// Package tools pins h2spec and what it is built from, for `cargo xtask test`. The versions build with Go 1.19 (Debian 12).
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
