package directory

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"
)

// A token's secret is rst_, 30 random characters of base62 (178 bits) and the CRC-32 of those as 6 more, so that scanners
// find it in places where it should not be and can tell it from a look-alike.
const (
	secretPrefix = "rst_"
	secretRandom = 30
	secretSum    = 6
	shownPrefix  = 8 // of the secret, rst_ included, that a token shows to be recognised by

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// jwtPrefix is how JWTs begin: a JSON object in base64.
const jwtPrefix = "eyJ"

// HoldsSecret reports whether there is in a text what looks like a token of Roster's or a JWT: it is not to be written down as it is.
func HoldsSecret(text string) bool {
	return strings.Contains(text, secretPrefix) || strings.Contains(text, jwtPrefix)
}

// MinSecret is the fewest characters that a token given by configuration may have, maxSecret the most bytes.
const (
	MinSecret = 20
	maxSecret = 4096
)

// newSecret makes a secret.
func newSecret() string {
	b := make([]byte, 0, secretRandom)
	buf := make([]byte, 64)
	for len(b) < secretRandom {
		_, _ = rand.Read(buf) // never fails, as of Go 1.24
		for _, c := range buf {
			if c < 4*62 && len(b) < secretRandom { // the rest would make some characters likelier
				b = append(b, base62[c%62])
			}
		}
	}
	return secretPrefix + string(b) + checksum(string(b))
}

func checksum(text string) string {
	n := crc32.ChecksumIEEE([]byte(text))
	b := make([]byte, secretSum)
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = base62[n%62]
		n /= 62
	}
	return string(b)
}

// plausible reports whether a text can be a secret at all. One that looks like ours is not refused for its checksum: it may be
// the first administrator's, which configuration gives as it likes.
func plausible(secret string) bool { return len(secret) >= MinSecret && len(secret) <= maxSecret }

// ours reports whether a secret is of our making, by its form and checksum.
func ours(secret string) bool {
	body, ok := strings.CutPrefix(secret, secretPrefix)
	return ok && len(body) == secretRandom+secretSum && checksum(body[:secretRandom]) == body[secretRandom:]
}

// hash is what is kept of a secret. It is looked up as a whole, so there is nothing to compare in constant time: how long an index
// takes tells at most something of a hash under a key that whoever asks does not know.
func (s *Service) hash(secret string) []byte { return hashWith(s.keys[0], secret) }

// hashes are what may have been kept of a secret: under the current key, and under those before.
func (s *Service) hashes(secret string) [][]byte {
	return mapped(s.keys, func(key []byte) []byte { return hashWith(key, secret) })
}

func hashWith(key []byte, secret string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(secret))
	return m.Sum(nil)
}

// shown is what may be seen of a secret. One that configuration gave shows nothing: nobody knows which part of it is random.
func shown(secret string) string {
	if !ours(secret) {
		return "configured"
	}
	return secret[:shownPrefix]
}
