package pace

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"
)

// queues has the size of the smallest queue of a client, in bytes, for each PubSub. The keys are
// weak pointers to PubSubs, the values are of type *atomic.Int64.
var queues sync.Map

// Queue notes that clients of a PubSub may have queues of this number of bytes.
func Queue[T any](pubsub *T, bytes int) {
	key := weak.Make(pubsub)
	none := new(atomic.Int64)
	none.Store(math.MaxInt64)
	v, known := queues.LoadOrStore(key, none)
	if !known {
		runtime.AddCleanup(pubsub, func(key weak.Pointer[T]) { queues.Delete(key) }, key)
	}
	least := v.(*atomic.Int64)
	for {
		was := least.Load()
		if was <= int64(bytes) || least.CompareAndSwap(was, int64(bytes)) {
			return
		}
	}
}

// LeastQueue returns the smallest number of bytes that Queue was told for a PubSub, or
// math.MaxInt64 when it was told none.
func LeastQueue[T any](pubsub *T) int64 {
	v, ok := queues.Load(weak.Make(pubsub))
	if !ok {
		return math.MaxInt64
	}
	return v.(*atomic.Int64).Load()
}
