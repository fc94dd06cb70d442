//go:build tools

// Package tools pins Pebble and what it is built from, for `cargo xtask test`. The versions build with Go 1.19 (Debian 12);
// later ones of Pebble do not. golang.org/x/net is newer than what Pebble asks for, so that Go 1.23 and later link it.
package tools

import _ "github.com/letsencrypt/pebble/v2/cmd/pebble"
