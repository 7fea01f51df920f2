package pubsubtest

import (
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

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
