package bennu

import (
	"fmt"
	"runtime"
)

// caller is the file and line that called the exported function which calls this.
func caller() string {
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return "unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}
