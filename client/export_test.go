package client

// JoinRef returns the ref of the current join, "" if there is none.
func JoinRef(ch *Channel) string {
	ch.socket.mu.Lock()
	defer ch.socket.mu.Unlock()
	return ch.joinRef
}
