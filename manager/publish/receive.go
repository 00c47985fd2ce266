package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// uploadPattern names incoming files, so that a start can remove what a crash left.
const uploadPattern = "upload-*.zip"

// upload is a package in the incoming folder. Its owner calls discard.
type upload struct {
	file *os.File
	sha  string
	size int64
}

// discard closes and removes the file; the store has its own copy by then.
func (u *upload) discard() {
	_ = u.file.Close()
	_ = os.Remove(u.file.Name()) // a leftover is removed at the next start
}

// receive streams a body into a file and hashes it on the way. On an error nothing is left behind. The error is
// TooLarge, Invalid when the client stopped sending, or a storageError.
func receive(folder string, body io.Reader, limit int64) (*upload, error) {
	file, err := os.CreateTemp(folder, uploadPattern) // mode 0600
	if err != nil {
		return nil, storageError{err}
	}
	up := &upload{file: file}
	if err := up.fill(body, limit); err != nil {
		up.discard()
		return nil, err
	}
	return up, nil
}

func (u *upload) fill(body io.Reader, limit int64) error {
	sink := &sink{file: u.file, hash: sha256.New()}
	n, err := io.Copy(sink, io.LimitReader(body, limit+1))
	switch {
	case sink.failed != nil:
		return storageError{sink.failed}
	case n > limit:
		return tooLarge(limit)
	case err != nil:
		return interrupted(n, err)
	}
	u.size, u.sha = n, hex.EncodeToString(sink.hash.Sum(nil))
	return nil
}

// sink keeps its own write error, so that a full disk and a client that has gone are told apart.
type sink struct {
	file   io.Writer
	hash   hash.Hash
	failed error
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	_, _ = s.hash.Write(p[:n]) // a hash never fails
	s.failed = err
	return n, err
}

func tooLarge(limit int64) error {
	return azfunc.Errorf(azfunc.TooLarge, "the package is larger than %d MiB, the limit of this installation: publish the build output only, or ask your administrator to raise the limit", limit>>20)
}

func interrupted(n int64, cause error) error {
	if errors.Is(cause, os.ErrDeadlineExceeded) {
		return azfunc.Errorf(azfunc.Invalid, "upload interrupted after %d bytes: nothing more came for too long; publish again", n)
	}
	return azfunc.Errorf(azfunc.Invalid, "upload interrupted after %d bytes: the connection was lost; publish again", n)
}

// patience is a body that gives up on a client that stands still, or takes longer than the whole upload may.
type patience struct {
	body  io.Reader
	rc    *http.ResponseController
	stall time.Duration
	until time.Time
}

// Read implements io.Reader.
func (p *patience) Read(b []byte) (int, error) {
	next := time.Now().Add(p.stall)
	if next.After(p.until) {
		next = p.until
	}
	// Without deadlines (a recorder in a test of somebody else) the server's own timeouts have to do.
	if err := p.rc.SetReadDeadline(next); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("set the deadline of the upload: %w", err)
	}
	return p.body.Read(b)
}

// receiveBody receives a request's body. The server itself lifts the last deadline when it has read all of it.
func (s *Service) receiveBody(w http.ResponseWriter, r *http.Request) (*upload, error) {
	return receive(s.cfg.IncomingDir, &patience{
		body: r.Body, rc: http.NewResponseController(w), stall: s.cfg.StallTimeout, until: time.Now().Add(s.cfg.UploadTimeout),
	}, s.cfg.MaxPackageBytes)
}
