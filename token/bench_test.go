package token

import (
	"strings"
	"testing"
)

func BenchmarkSign(b *testing.B) {
	k := newKeys(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Sign(testSalt, 42); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, bench := range []struct {
		name  string
		k     *Keys
		token string
		want  error
	}{
		{"good", newKeys(b, nil), signed42, nil},
		{"third secret", newKeys(b, nil, strings.Repeat("a", 20), strings.Repeat("b", 20), secretBase), signed42, nil},
		{"forged", newKeys(b, nil), signed42[:len(signed42)-4] + "AAAA", ErrInvalid},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bench.k.Verify(testSalt, bench.token); err != bench.want {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyParallel(b *testing.B) {
	k := newKeys(b, nil)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := k.Verify(testSalt, signed42); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkEncrypt(b *testing.B) {
	k := newKeys(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Encrypt(testSalt, 42); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	k := newKeys(b, nil)
	for _, tok := range []string{crypted42, legacy42} {
		b.Run(tok[:3], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Decrypt(testSalt, tok); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDerive(b *testing.B) {
	k := newKeys(b, nil)
	for b.Loop() {
		if _, err := k.ring().derive(0, testSalt); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCookie(b *testing.B) {
	c := newReader(b, "")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(signedCookie); err != nil {
			b.Fatal(err)
		}
	}
}
