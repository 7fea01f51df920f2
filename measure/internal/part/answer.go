package part

import (
	"bufio"
	"fmt"
	"io"
)

// Answer is the other end of Ask: it answers every line of r with what do returns for it,
// until r ends or do fails.
func Answer(r io.Reader, do func(line string) (string, error)) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		answer, err := do(lines.Text())
		if err != nil {
			return err
		}
		fmt.Println(answer)
	}
	return lines.Err()
}
