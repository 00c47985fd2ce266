package hostapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// spareTime is what an answer may take beyond the wait that was asked for.
const spareTime = 30 * time.Second

// packageTimeout bounds the transfer of one package.
const packageTimeout = 30 * time.Minute

func (s *Service) getApp(w http.ResponseWriter, r *http.Request) {
	wait := s.waitOf(r.Header)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + spareTime)) // longer than ordinary answers
	known := strings.TrimPrefix(r.Header.Get("If-None-Match"), "W/")
	doc, err := s.changed(r.Context(), callerOf(r), known, wait)
	if err != nil {
		httpserver.WriteError(w, r, err)
		return
	}
	w.Header().Set("ETag", doc.etag)
	if doc.etag == known {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(doc.body)))
	_, _ = w.Write(doc.body) // the worker has gone: it asks again
}

// changed returns the document as soon as it differs from the known one, or as it is when wait is over.
func (s *Service) changed(ctx context.Context, c caller, known string, wait time.Duration) (answer, error) {
	until, cancel := s.waits.Until(ctx, wait)
	defer cancel()
	topic := store.AppTopic(c.app.ID)
	for {
		version := s.store.Version(topic)
		doc, err := s.document(ctx, c)
		if err != nil || doc.etag != known || until.Err() != nil {
			return doc, err
		}
		s.pause(until, topic, version)
	}
}

// pause ends at the next change, when the document is too old to be believed, or with ctx.
func (s *Service) pause(ctx context.Context, topic string, version uint64) {
	ctx, cancel := context.WithTimeout(ctx, maxAge)
	defer cancel()
	_, _ = s.store.Wait(ctx, topic, version) // why it ended does not matter: the document is compared again
}

// waitOf reads "Prefer: wait=N" (RFC 7240), in seconds.
func (s *Service) waitOf(h http.Header) time.Duration {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16); err == nil {
				return min(time.Duration(n)*time.Second, s.cfg.MaxWait)
			}
		}
	}
	return 0
}

// getPackage sends the content of the caller's revision. Any other digest is not found, whether it exists or not.
func (s *Service) getPackage(w http.ResponseWriter, r *http.Request) {
	c, digest := callerOf(r), chi.URLParam(r, "sha256")
	rev, err := s.store.Revision(r.Context(), c.app.ID, c.Revision)
	if err == nil && rev.PackageSHA256 != digest {
		err = azfunc.Errorf(azfunc.NotFound, "revision %d of app %q has no package of this digest", c.Revision, c.App)
	}
	if err != nil {
		httpserver.WriteError(w, r, err)
		return
	}
	content, err := s.store.OpenPackage(r.Context(), digest)
	if err != nil {
		httpserver.WriteError(w, r, err)
		return
	}
	defer func() { _ = content.Close() }()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(packageTimeout))
	w.Header().Set("ETag", `"`+digest+`"`)
	w.Header().Set("Content-Type", "application/zip")
	http.ServeContent(w, r, "", time.Time{}, content) // ranges, so that a cut transfer can go on
}

// param returns a path parameter as the worker meant it: names may hold what has to be escaped in a path.
func param(r *http.Request, name string) (string, error) {
	raw := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return raw, nil // decoded already
	}
	text, err := url.PathUnescape(raw)
	if err != nil {
		return "", azfunc.Errorf(azfunc.Invalid, "the address holds a wrong escape: %q", raw)
	}
	return text, nil
}
