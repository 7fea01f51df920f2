package redisconn

import "strings"

// Slots is the number of slots of a cluster. A slot is the CRC-16 of a name modulo this number, and each
// master has some of the slots (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
const Slots = 16384

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

// Slot returns the slot of a key or channel, from 0 to Slots-1. Of a name with braces, Redis takes the part
// between the first "{" and the next "}", unless that is empty.
func Slot(name string) int {
	if _, rest, ok := strings.Cut(name, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			name = tag
		}
	}
	return int(CRC(0, name)) % Slots
}

// CRC continues a checksum with a text.
func CRC[T string | []byte](sum uint16, text T) uint16 {
	for i := range len(text) {
		sum = sum<<8 ^ crcTable[byte(sum>>8)^text[i]]
	}
	return sum
}
