package bennu

import "github.com/bennu-go/bennu/internal/seam"

func init() {
	seam.Wrap = func(handler any, wrap func(seam.Receiver) seam.Receiver) {
		handler.(*SocketHandler).wrap = wrap
	}
}

// receiverOf is a socket as its connection sees it.
func (h *mountedHandler) receiverOf(s *Socket) seam.Receiver {
	if h.wrap != nil {
		return h.wrap((*receiver)(s))
	}
	return (*receiver)(s)
}
