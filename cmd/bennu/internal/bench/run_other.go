//go:build !linux

package bench

import (
	"context"
	"errors"
)

func measure(context.Context, *options, *target, *Report, *progress) error {
	return errors.New("this needs Linux, for epoll and /proc; bennu bench server runs everywhere")
}
