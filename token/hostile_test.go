package token

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// compressed wraps a term, given without its version, and claims a size for it.
func compressed(t testing.TB, term []byte, size uint32) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Write(binary.BigEndian.AppendUint32([]byte{tagVersion, tagCompressed}, size))
	w, err := zlib.NewWriterLevel(&b, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(term); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hostile are terms that claim more data or memory than they have.
func hostile(t testing.TB) map[string][]byte {
	raw := func(parts ...string) []byte { return unhex(t, "83"+strings.Join(parts, "")) }
	nested := func(open string, n int, inner string) []byte { return raw(strings.Repeat(open, n), inner) }
	binary256K := append(unhex(t, "6d0003fffb"), make([]byte, maxInflated-5)...)
	bomb := compressed(t, make([]byte, 2*mostMemory), 2*mostMemory)
	claim := func(size uint32) []byte {
		return slices.Replace(slices.Clone(bomb), 2, 6, binary.BigEndian.AppendUint32(nil, size)...)
	}
	lists := append(append(unhex(t, "6c00002710"), bytes.Repeat([]byte{tagNil}, 10_000)...), tagNil)
	return map[string][]byte{
		"empty":                     {},
		"version alone":             {tagVersion},
		"other version":             {130, tagNil},
		"rest":                      raw("6100", "00"),
		"cut integer":               raw("620000"),
		"cut big":                   raw("6e"),
		"cut big magnitude":         raw("6e0800ff"),
		"big of 4 GiB":              raw("6fffffffff00"),
		"big of 1025 bytes":         append(raw("6f0000040100"), bytes.Repeat([]byte{1}, 1025)...),
		"cut float":                 raw("463ff8"),
		"NaN":                       raw("467ff8000000000001"),
		"infinity":                  raw("467ff0000000000000"),
		"binary of 4 GiB":           raw("6dffffffff"),
		"binary cut by one":         raw("6d000000026b"),
		"list of 4 Gi":              raw("6cffffffff"),
		"list of 2 GiB":             raw("6c7fffffff", "6a"),
		"list without tail":         raw("6c000000016100"),
		"improper list":             raw("6c0000000161006101"),
		"list of 10,000":            append([]byte{tagVersion}, lists...),
		"string of more":            raw("6bffff61"),
		"string of 10,000":          append(raw("6b2710"), make([]byte, 10_000)...),
		"map of 4 Gi":               raw("74ffffffff"),
		"map of 2 Gi":               raw("7480000000", "6100"),
		"map without value":         raw("74000000016100"),
		"map with a key twice":      raw("7400000002", "61006a", "61006a"),
		"map with an atom twice":    raw("7400000002", "64000161", "6a", "770161", "6a"),
		"map with a list as key":    raw("7400000001", "6a", "6a"),
		"map with a tuple as key":   raw("7400000001", "6800", "6a"),
		"map with a big key":        raw("7400000001", "6e09000000000000000000ff", "6a"),
		"tuple cut":                 raw("68ff"),
		"nested tuples":             nested("6801", 65, "6a"),
		"nested tuples, very":       nested("6801", 60_000, "6a"),
		"nested lists, very":        nested("6c00000001", 50_000, "6a"),
		"nested maps, very":         nested("740000000161"+"00", 30_000, "6a"),
		"wide and deep":             nested("68ff", 60, strings.Repeat("6a", 100)),
		"new fun":                   raw("7000000010", strings.Repeat("00", 12)),
		"fun":                       raw("7500000000"),
		"external fun":              raw("71", "64000161", "64000162", "6100"),
		"pid":                       raw("58", "64000161", "000000000000000000000000"),
		"bit string":                raw("4d00000001", "07", "fe"),
		"large tuple":               raw("6900000001", "6100"),
		"old float":                 raw("63", strings.Repeat("30", 31)),
		"atom not UTF-8":            raw("7701ff"),
		"atom of 256":               append(raw("640100"), bytes.Repeat([]byte{'a'}, 256)...),
		"atom of 256, UTF-8":        append(raw("760100"), bytes.Repeat([]byte{'a'}, 256)...),
		"atom cut":                  raw("77ff61"),
		"too long":                  append(append([]byte{tagVersion}, binary256K...), 0),
		"compressed, cut":           raw("500000"),
		"compressed, no zlib":       raw("5000000002", "00000000"),
		"compressed, size too big":  compressed(t, []byte{tagNil}, math.MaxUint32),
		"compressed, size too low":  compressed(t, []byte{tagSmallInt, 1}, 1),
		"compressed, size too high": compressed(t, []byte{tagSmallInt, 1}, 3),
		"compressed, nothing":       compressed(t, nil, 0),
		"compressed, rest":          append(compressed(t, []byte{tagSmallInt, 1}, 2), 0),
		"compressed, rest inside":   compressed(t, []byte{tagSmallInt, 1, 0}, 3),
		"compressed, no checksum":   compressed(t, []byte{tagSmallInt, 1}, 2)[:12],
		"compressed, cut checksum":  func() []byte { b := compressed(t, []byte{tagSmallInt, 1}, 2); return b[:len(b)-1] }(),
		"compressed twice":          compressed(t, compressed(t, []byte{tagSmallInt, 1}, 2)[1:], uint32(len(compressed(t, []byte{tagSmallInt, 1}, 2))-1)),
		"bomb":                      bomb,
		"bomb with a small claim":   claim(100),
		"bomb with a middling one":  claim(maxInflated),
		"compressed, many":          compressed(t, lists, uint32(len(lists))),
	}
}

// allocated returns the number of bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// mostMemory is the bound for one token in the package comment.
const mostMemory = 4 << 20

func TestHostileTerms(t *testing.T) {
	for name, b := range hostile(t) {
		var v any
		var err error
		n := allocated(func() { v, err = decodeTerm(b) })
		if err == nil {
			t.Errorf("%s is read as %v", name, v)
		}
		if n > mostMemory {
			t.Errorf("%s takes %d bytes", name, n)
		}
	}
}

// TestLargestTerms has terms just within the bounds, in the shapes that take the most memory.
func TestLargestTerms(t *testing.T) {
	list := func(n int, element string) []byte {
		b := binary.BigEndian.AppendUint32([]byte{tagList}, uint32(n))
		return append(append(b, bytes.Repeat(unhex(t, element), n)...), tagNil)
	}
	pairs := binary.BigEndian.AppendUint32([]byte{tagMap}, 4999)
	for i := range 4999 {
		pairs = append(binary.BigEndian.AppendUint32(append(pairs, tagInt), uint32(i)), tagNil)
	}
	for name, term := range map[string][]byte{
		"integers":     list(9999, "627fffffff"),
		"floats":       list(9999, "463ff8000000000000"),
		"bigs":         list(9999, "6e09000000000000000000ff"),
		"large bigs":   list(200, "6f00000400"+strings.Repeat("ff", 1025)),
		"empty maps":   list(9999, "7400000000"),
		"small maps":   list(3333, "740000000161016a"),
		"nil maps":     list(3333, "7400000001"+"7703"+"6e696c"+"6a"),
		"atoms":        list(9999, "770161"),
		"atoms, long":  list(900, "6400ff"+strings.Repeat("e9", 255)),
		"tuples":       list(4999, "68016a"),
		"empty tuples": list(9999, "6800"),
		"strings":      list(9999, "6d0000000161"),
		"one string":   append(unhex(t, "6d0003fff9"), make([]byte, maxInflated-7)...),
		"one map":      pairs,
		"byte list":    append(unhex(t, "6b270f"), make([]byte, 9999)...),
		"deep":         unhex(t, strings.Repeat("6801", 64)+"6a"),
	} {
		for wrapped, b := range map[string][]byte{"": append([]byte{tagVersion}, term...), ", compressed": compressed(t, term, uint32(len(term)))} {
			var err error
			n := allocated(func() { _, err = decodeTerm(b) })
			if err != nil {
				t.Errorf("%s%s: %v", name, wrapped, err)
			}
			if n > mostMemory {
				t.Errorf("%s%s takes %d bytes", name, wrapped, n)
			}
			t.Logf("%s%s: %d KiB", name, wrapped, n>>10)
		}
	}
}
