package bench

import (
	"strings"
	"testing"
)

func TestProcess(t *testing.T) {
	none := process{1<<22 - 1} // the largest possible id, which is hardly in use
	if _, err := none.cpu(); err == nil || !strings.Contains(err.Error(), "of the server cannot be read") {
		t.Errorf("processor time of a process that is not there: %v", err)
	}
	if _, err := none.memory(); err == nil || !strings.Contains(err.Error(), "of the server cannot be read") {
		t.Errorf("memory of a process that is not there: %v", err)
	}
	if rss, err := (process{}).memory(); rss != 0 || err != nil {
		t.Errorf("memory where no process is given: %d, %v", rss, err)
	}
}
