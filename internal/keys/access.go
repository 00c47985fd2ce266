package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

const (
	randomBytes = 40
	// signature is the tail of Azure's identifiable function keys ("AzFu" and a check in the original): scanners
	// for leaked secrets know a key by it.
	signature            = "AzFu"
	passwordLength       = 60
	passwordAlphabet     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	passwordAlphabetSize = len(passwordAlphabet)
)

// Generate makes an access key: 40 random bytes in URL-safe base64 (54 characters, no padding) and "AzFu". Nothing
// checks the form of a key: people may choose their own values, as in Azure.
func Generate() (string, error) {
	raw, err := random(randomBytes)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw) + signature, nil
}

// Hash is the lower-case hex SHA-256 of a key: what workers compare with. Keys made here have 320 random bits, so that
// a slow hash would add nothing.
func Hash(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// Equal compares two secrets in a time that depends on neither their content nor their lengths.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// PublishPassword makes the password of an app's publishing user: 60 letters and digits, as Azure's.
func PublishPassword() (string, error) {
	password := make([]byte, 0, passwordLength)
	for len(password) < passwordLength {
		raw, err := random(2 * passwordLength)
		if err != nil {
			return "", err
		}
		password = appendLetters(password, raw)
	}
	return string(password), nil
}

// appendLetters turns random bytes into letters. Bytes from 248 (4 x 62) on are passed over: with them, some letters
// would come up more often than others.
func appendLetters(password, raw []byte) []byte {
	const fair = 256 / passwordAlphabetSize * passwordAlphabetSize
	for _, b := range raw {
		if int(b) < fair && len(password) < passwordLength {
			password = append(password, passwordAlphabet[int(b)%passwordAlphabetSize])
		}
	}
	return password
}

func random(n int) ([]byte, error) {
	raw := make([]byte, n)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return raw, nil
}
