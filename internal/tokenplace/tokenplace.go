// Package tokenplace lets a transport tell package transport where it found an auth token,
// without a promise to programs.
package tokenplace

// Elsewhere makes a *transport.ConnectInfo that has no auth token say that the client has
// sent one in a place where the mount does not look. It reports whether the ConnectInfo has
// none, and the mount takes tokens. Package transport sets it.
var Elsewhere func(info any) bool
