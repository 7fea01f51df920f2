package redispubsub

import "strconv"

// slotCount is into how many slots a cluster divides channels.
const slotCount = 16384

// crcTable is of CRC-16/XMODEM, by which Redis finds the slot of a name.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// slotOf is the slot of a channel. Redis looks at nothing but what stands in braces, if
// there are any; no channel of ours has one.
func slotOf(channel string) int { return int(crc(0, channel)) % slotCount }

// crc goes on with a checksum.
func crc[T string | []byte](sum uint16, text T) uint16 {
	for i := range len(text) {
		sum = sum<<8 ^ crcTable[byte(sum>>8)^text[i]]
	}
	return sum
}

// probeChannel finds a name for the channel on which a node hears itself, in a slot
// that fits. One slot in all is found after some 16,000 names, so far more are tried.
func probeChannel(prefix, node string, fits func(slot int) bool) (string, bool) {
	stem := prefix + ".p." + node + "."
	sum := crc(0, stem)
	var digits []byte
	for i := range int64(64 * slotCount) {
		digits = strconv.AppendInt(digits[:0], i, 10)
		if fits(int(crc(sum, digits)) % slotCount) {
			return stem + string(digits), true
		}
	}
	return "", false
}
