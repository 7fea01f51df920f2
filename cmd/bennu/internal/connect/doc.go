// Package connect is the command "bennu connect": a terminal client of Phoenix
// Channels for people, and for scripts.
package connect
