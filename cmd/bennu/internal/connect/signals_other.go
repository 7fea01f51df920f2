//go:build !unix

package connect

import "os"

func endSignals() []os.Signal { return []os.Signal{os.Interrupt} }

// Without this signal the size of the window is read only at the start.
func resizeSignals() []os.Signal { return nil }

func isResize(os.Signal) bool { return false }
