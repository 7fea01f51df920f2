package bennu

import "github.com/bennu-go/bennu/internal/seam"

func init() {
	seam.Wrap = func(handler any, wrap func(seam.Receiver) seam.Receiver) {
		handler.(*SocketHandler).wrap = wrap
	}
}
