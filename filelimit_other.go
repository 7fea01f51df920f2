//go:build !unix

package bennu

// fileLimit returns how many files the process may have open, or 0 if that is unknown.
func fileLimit() int { return 0 }
