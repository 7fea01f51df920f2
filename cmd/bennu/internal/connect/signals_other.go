//go:build !unix

package connect

import "os"

func endSignals() []os.Signal { return []os.Signal{os.Interrupt} }

// The size of the window is looked at when the command starts.
func resizeSignals() []os.Signal { return nil }

func isResize(os.Signal) bool { return false }
