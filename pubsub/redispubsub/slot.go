package redispubsub

import (
	"strconv"

	"github.com/bennu-go/bennu/internal/redisconn"
)

// probeChannel returns the name of a channel for probes in a slot that fits. It tries names until one
// does: if only one slot fits, that takes about 16,000 names, of the million that are tried. It returns
// false if none fits.
func probeChannel(prefix, node string, fits func(slot int) bool) (string, bool) {
	stem := prefix + ".p." + node + "."
	sum := redisconn.CRC(0, stem)
	var digits []byte
	for i := range int64(64 * redisconn.Slots) {
		digits = strconv.AppendInt(digits[:0], i, 10)
		if fits(int(redisconn.CRC(sum, digits)) % redisconn.Slots) {
			return stem + string(digits), true
		}
	}
	return "", false
}
