package pubsubtest

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) *Cluster {
		m := &Memory{}
		return &Cluster{
			Node:    m.Node,
			Break:   func(testing.TB) func() { return m.Break() },
			Garbage: func(_ testing.TB, topic string, data []byte) { m.Garbage(topic, data) },
		}
	})
}
