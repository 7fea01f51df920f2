package seam

// Wrap makes a SocketHandler wrap the receivers of all its connections, for the suite that tests
// transports. It must be called before the handler is mounted. Package bennu sets it.
var Wrap func(handler any, wrap func(Receiver) Receiver)
