package bennu

// SetFencing switches the fence of joins, for the test that shows what it is for.
func SetFencing(on bool) { fencing = on }

// SinceOf is sinceOf: what the payload of a join says under a name. kind is "none", "new", "at" or
// "invalid".
func SinceOf(p Payload, param string) (kind, at string, inPayload bool) {
	s := sinceOf(p, param)
	return [...]string{"none", "new", "at", "invalid"}[s.kind], offsetOf(s.at).String(), s.inPayload
}
