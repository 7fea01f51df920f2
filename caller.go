package bennu

import (
	"fmt"
	"runtime"
)

// caller returns the file and line of the call of the exported function that calls it. That
// function must call it directly.
func caller() string {
	// 0 is this function, 1 its caller.
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return "unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}
