package jsontext

import "strconv"

// number scans a number, or fails on a byte that starts no value at all.
func (s *Scanner) number(i int) (int, error) {
	d, start := s.Data, i
	if d[i] == '-' {
		i++
	}
	first := i
	i = digits(d, i)
	switch {
	case i == first && first == start:
		return i, s.Unexpected(i)
	case i == first, d[first] == '0' && i > first+1:
		return i, s.Fail(start, errNumber)
	}
	whole, float := i-first, false
	if i < len(d) && d[i] == '.' {
		from := i + 1
		if i = digits(d, from); i == from {
			return i, s.Fail(start, errNumber)
		}
		float = whole > 300
	}
	if i < len(d) && d[i]|0x20 == 'e' {
		i++
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		from := i
		if i = digits(d, from); i == from {
			return i, s.Fail(start, errNumber)
		}
		float = true
	}
	if float && overflows(d[first:i]) {
		return i, s.over(start, errRange)
	}
	return i, nil
}

// digits returns the position after the digits at i.
func digits(d []byte, i int) int {
	for i < len(d) && d[i]-'0' <= 9 {
		i++
	}
	return i
}

// overflows reports whether a well-formed number without a sign is too large for a float64.
// Its magnitude m, the least with x < 10^m, decides all but those of 309 digits, which
// strconv has to read.
func overflows(lit []byte) bool {
	const most = 309 // the digits of the largest float64
	var (
		i, m    int
		nonzero bool
	)
	for ; i < len(lit) && lit[i]-'0' <= 9; i++ {
		if nonzero = nonzero || lit[i] != '0'; nonzero {
			m++
		}
	}
	if i < len(lit) && lit[i] == '.' {
		for i++; i < len(lit) && lit[i]-'0' <= 9; i++ {
			if nonzero = nonzero || lit[i] != '0'; !nonzero {
				m--
			}
		}
	}
	if !nonzero {
		return false
	}
	if i < len(lit) {
		i++ // the e
		sign := 1
		if lit[i] == '-' || lit[i] == '+' {
			if lit[i] == '-' {
				sign = -1
			}
			i++
		}
		exp := 0
		for ; i < len(lit) && exp < 1<<30; i++ {
			exp = exp*10 + int(lit[i]-'0')
		}
		m += sign * exp
	}
	if m != most {
		return m > most
	}
	_, err := strconv.ParseFloat(string(lit), 64)
	return err != nil
}
