package option

// MinSecret is the least length of a secret, in bytes.
const MinSecret = 16

// Secret checks the length of a secret, which may be empty.
func (c *Checker) Secret(name string, secret []byte) {
	if n := len(secret); n > 0 && n < MinSecret {
		c.fail("%s%s has %d bytes, too few to be kept secret; use 32 random ones, the same on every node", c.Of, name, n)
	}
}
