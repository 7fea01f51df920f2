package connect

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// A screen is the picture of a terminal after bytes were written to it. It knows the sequences that
// the command uses. It keeps all lines that scrolled away.
type screen struct {
	mu    sync.Mutex
	width int
	rows  [][]cell
	x, y  int
	color string // of the text that is written next
	rest  []byte // the beginning of a sequence
	all   strings.Builder
}

type cell struct {
	r     rune
	color string
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Write(b)
	data := append(s.rest, b...)
	for len(data) > 0 {
		n := s.take(data)
		if n == 0 {
			break
		}
		data = data[n:]
	}
	s.rest = append([]byte(nil), data...)
	return len(b), nil
}

// take handles the character or sequence at the beginning of data, and returns its length, or 0 if
// more data is needed.
func (s *screen) take(data []byte) int {
	switch c := data[0]; {
	case c == '\r':
		s.x = 0
	case c == '\n':
		s.y++
	case c == 0x1b:
		return s.sequence(data)
	case c >= ' ':
		if !utf8.FullRune(data) {
			return 0
		}
		r, n := utf8.DecodeRune(data)
		s.put(r)
		return n
	}
	return 1
}

func (s *screen) sequence(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	if data[1] != '[' {
		return 2
	}
	end := 2
	for end < len(data) && (data[end] < '@' || data[end] > '~') {
		end++
	}
	if end == len(data) {
		return 0
	}
	arg := string(data[2:end])
	n, err := strconv.Atoi(arg)
	if err != nil {
		n = 1
	}
	switch data[end] {
	case 'A':
		s.y = max(0, s.y-n)
	case 'B':
		s.y += n
	case 'C':
		s.x = min(s.width-1, s.x+n)
	case 'D':
		s.x = max(0, s.x-n)
	case 'K':
		for row := s.row(); s.x < len(*row); {
			*row = (*row)[:len(*row)-1]
		}
	case 'm':
		s.color = arg
		if arg == "0" {
			s.color = ""
		}
	}
	return end + 1
}

func (s *screen) put(r rune) {
	if s.x == s.width {
		s.x, s.y = 0, s.y+1
	}
	row := s.row()
	for len(*row) <= s.x {
		*row = append(*row, cell{r: ' '})
	}
	(*row)[s.x] = cell{r, s.color}
	s.x++
}

func (s *screen) row() *[]cell {
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, nil)
	}
	return &s.rows[s.y]
}

// text returns the text of the screen, without colours.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, row := range s.rows {
		b.WriteString(strings.TrimRight(string(runes(row)), " ") + "\n")
	}
	return b.String()
}

func runes(row []cell) []rune {
	line := make([]rune, len(row))
	for i, c := range row {
		line[i] = c.r
	}
	return line
}

// written returns all bytes that were written.
func (s *screen) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// svg draws lines of cells as a terminal with a dark background would.
func svg(rows [][]cell, width int) string {
	const line, column, edge = 18, 7.8, 14
	colors := map[string]string{"": "#d5d9e0", "1": "#ffffff", "2": "#7f8794", "31": "#f2777a", "32": "#99cc99",
		"33": "#ffcc66", "34": "#6fb3f2", "35": "#d5a6e6", "36": "#66cccc"}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="13">`+"\n",
		float64(width)*column+2*edge, len(rows)*line+2*edge)
	b.WriteString(`<rect width="100%" height="100%" rx="8" fill="#1f2430"/>` + "\n")
	for y, row := range rows {
		for x := 0; x < len(row); {
			from, color := x, row[x].color
			var text []rune
			for ; x < len(row) && row[x].color == color; x++ {
				text = append(text, row[x].r)
			}
			if shown := strings.TrimRight(string(text), " "); shown != "" {
				fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="%s" xml:space="preserve" textLength="%.1f">%s</text>`+"\n",
					edge+float64(from)*column, edge+y*line+13, colors[color], float64(utf8.RuneCountInString(shown))*column, html.EscapeString(shown))
			}
		}
	}
	return b.String() + "</svg>\n"
}
