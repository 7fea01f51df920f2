//go:build !unix

package bennu

// fileLimit is how many files the process may have open, or 0 when that is unknown.
func fileLimit() int { return 0 }
