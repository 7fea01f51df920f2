package redispubsub

import "strconv"

// slotCount is the number of slots of a cluster. A slot is the CRC-16 of a name modulo this number, and each
// master has some of the slots (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
const slotCount = 16384

// crcTable is the table of CRC-16/XMODEM, with the polynomial 0x1021 and the initial value 0.
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

// slotOf returns the slot of a channel, from 0 to slotCount-1. Redis takes only the part between braces,
// if a name has them; names of channels have none.
func slotOf(channel string) int { return int(crc(0, channel)) % slotCount }

// crc continues a checksum with a text.
func crc[T string | []byte](sum uint16, text T) uint16 {
	for i := range len(text) {
		sum = sum<<8 ^ crcTable[byte(sum>>8)^text[i]]
	}
	return sum
}

// probeChannel returns the name of a channel for probes in a slot that fits. It tries names until one
// does: if only one slot fits, that takes about 16,000 names, of the million that are tried. It returns
// false if none fits.
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
