package history

// NewMemory returns the default store, of so many bytes.
func NewMemory(most int) Store { return newMemory(most, func(string, int) {}) }

// ForgetKeys makes a default store forget all keys, as if KeyTime had passed.
func ForgetKeys(s Store) {
	for i := range s.(*memory).shards {
		sh := &s.(*memory).shards[i]
		sh.mu.Lock()
		for _, l := range sh.logs {
			l.size -= l.doubles.expire(1 << 62)
		}
		sh.mu.Unlock()
	}
}
