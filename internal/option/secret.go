package option

// MinSecret is the length of the shortest secret that is taken, in bytes.
const MinSecret = 16

// Secret checks a secret that may be left out.
func (c *Checker) Secret(name string, secret []byte) {
	if n := len(secret); n > 0 && n < MinSecret {
		c.fail("%s%s has %d bytes, too few to be kept secret; use 32 random ones, the same on every node", c.Of, name, n)
	}
}
