package history

// NewMemory returns the default store, of so many bytes.
func NewMemory(most int) Store { return newMemory(most, func(string, int) {}) }

// NewMemoryThatTells is NewMemory with a function that is told what was forgotten.
func NewMemoryThatTells(most int, forgot func(topic string, entries int)) Store {
	return newMemory(most, forgot)
}

// Used returns the bytes that a default store counts.
func Used(s Store) int64 { return s.(*memory).room.used.Load() }

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
