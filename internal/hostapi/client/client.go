package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

const (
	// callTimeout bounds every call but the long poll and the package.
	callTimeout = 15 * time.Second
	// packageTimeout bounds the download of a package; idle connections end sooner.
	packageTimeout = 10 * time.Minute
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 8 << 20
)

// Config is where the manager is and who we are.
type Config struct {
	BaseURL      string // for example https://manager:7083
	CAFile       string // PEM; only with https
	IdentityFile string // the bearer token, read anew for every call because Nomad renews it
}

// Client calls the manager. It is safe for concurrent use.
type Client struct {
	base     string
	identity string
	http     *http.Client
}

// New makes a client. The error is Invalid when the address or the CA file cannot be used.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, azfunc.Errorf(azfunc.Invalid, "the manager's address %q is not a URL such as https://host:port", cfg.BaseURL)
	}
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 90 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   4,
	}
	if cfg.CAFile != "" {
		if transport.TLSClientConfig, err = trust(cfg.CAFile); err != nil {
			return nil, err
		}
	}
	return &Client{base: strings.TrimRight(cfg.BaseURL, "/"), identity: cfg.IdentityFile, http: &http.Client{Transport: transport}}, nil
}

func trust(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, azfunc.Errorf(azfunc.Invalid, "read the manager's CA certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, azfunc.Errorf(azfunc.Invalid, "%s holds no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// App returns the instance's app and its ETag. With the ETag of an earlier answer the call waits up to wait for a
// change; a nil App means that nothing changed.
func (c *Client) App(ctx context.Context, etag string, wait time.Duration) (*hostapi.App, string, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+callTimeout)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, hostapi.PathApp, nil)
	if err != nil {
		return nil, "", err
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
		req.Header.Set("Prefer", fmt.Sprintf("wait=%d", int(wait.Seconds())))
	}
	res, err := c.do(req)
	if err != nil {
		return nil, "", err
	}
	defer closeBody(res)
	if res.StatusCode == http.StatusNotModified {
		return nil, etag, nil
	}
	var app hostapi.App
	if err := decode(res, &app); err != nil {
		return nil, "", err
	}
	return &app, res.Header.Get("ETag"), nil
}

// Package streams a package's content to w. The caller checks the digest.
func (c *Client) Package(ctx context.Context, sha256 string, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, packageTimeout)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, strings.Replace(hostapi.PathPackage, "{sha256}", url.PathEscape(sha256), 1), nil)
	if err != nil {
		return err
	}
	res, err := c.do(req)
	if err != nil {
		return err
	}
	defer closeBody(res)
	if _, err := io.Copy(w, res.Body); err != nil {
		return azfunc.Errorf(azfunc.Unavailable, "download package %s: %w", sha256, err)
	}
	return nil
}

// Report sends the heartbeat.
func (c *Client) Report(ctx context.Context, r hostapi.InstanceReport) error {
	return c.send(ctx, http.MethodPut, hostapi.PathInstance, r)
}

// Triggers sends what the host indexed.
func (c *Client) Triggers(ctx context.Context, t hostapi.Triggers) error {
	return c.send(ctx, http.MethodPut, hostapi.PathTriggers, t)
}

// Invocations sends finished invocations.
func (c *Client) Invocations(ctx context.Context, b hostapi.InvocationBatch) error {
	return c.send(ctx, http.MethodPost, hostapi.PathInvocations, b)
}

// Logs sends log lines.
func (c *Client) Logs(ctx context.Context, b hostapi.LogBatch) error {
	return c.send(ctx, http.MethodPost, hostapi.PathLogs, b)
}

// Schedule returns the last claimed occurrence of a timer.
func (c *Client) Schedule(ctx context.Context, function string) (hostapi.Schedule, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var s hostapi.Schedule
	req, err := c.request(ctx, http.MethodGet, strings.Replace(hostapi.PathSchedule, "{function}", url.PathEscape(function), 1), nil)
	if err != nil {
		return s, err
	}
	res, err := c.do(req)
	if err != nil {
		return s, err
	}
	defer closeBody(res)
	return s, decode(res, &s)
}

// Claim claims an occurrence of a timer; the error is Conflict when somebody else has it.
func (c *Client) Claim(ctx context.Context, function string, o hostapi.Occurrence) error {
	return c.send(ctx, http.MethodPost, strings.Replace(hostapi.PathOccurrences, "{function}", url.PathEscape(function), 1), o)
}

// TakeLease takes a free lease; the error is Conflict when somebody else holds it.
func (c *Client) TakeLease(ctx context.Context, name string, r hostapi.LeaseRequest) error {
	return c.send(ctx, http.MethodPost, leasePath(name), r)
}

// RenewLease renews one's own lease; the error is Conflict when it is lost.
func (c *Client) RenewLease(ctx context.Context, name string, r hostapi.LeaseRequest) error {
	return c.send(ctx, http.MethodPut, leasePath(name), r)
}

// ReleaseLease gives a lease back.
func (c *Client) ReleaseLease(ctx context.Context, name, owner string) error {
	return c.send(ctx, http.MethodDelete, leasePath(name)+"?owner="+url.QueryEscape(owner), nil)
}

func leasePath(name string) string {
	return strings.Replace(hostapi.PathLease, "{name}", url.PathEscape(name), 1)
}

// send makes a call that has no answer worth reading.
func (c *Client) send(ctx context.Context, method, path string, body any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write the body of %s %s: %w", method, path, err)
		}
	}
	req, err := c.request(ctx, method, path, raw)
	if err != nil {
		return err
	}
	res, err := c.do(req)
	if err != nil {
		return err
	}
	closeBody(res)
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request %s %s: %w", method, path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.identity != "" {
		token, err := os.ReadFile(c.identity)
		if err != nil {
			return nil, azfunc.Errorf(azfunc.Unauthenticated, "read the instance's identity: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	return req, nil
}

// do makes a call. An answer that is neither 2xx nor 304 is an error with the manager's code; the caller closes others.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, azfunc.Errorf(azfunc.Unavailable, "the manager cannot be reached: %w", err)
	}
	if err := check(res); err != nil {
		closeBody(res)
		return nil, err
	}
	return res, nil
}

func check(res *http.Response) error {
	if res.StatusCode/100 == 2 || res.StatusCode == http.StatusNotModified {
		return nil
	}
	raw, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	p := hostapi.Problem{}
	if json.Unmarshal(raw, &p) != nil || p.Code == "" {
		p = hostapi.Problem{Code: string(codeOf(res.StatusCode)), Message: "the manager answered " + res.Status}
	}
	return azfunc.Errorf(azfunc.Code(p.Code), "%s", p.Message)
}

func codeOf(status int) azfunc.Code {
	switch status {
	case http.StatusBadRequest:
		return azfunc.Invalid
	case http.StatusUnauthorized:
		return azfunc.Unauthenticated
	case http.StatusForbidden:
		return azfunc.Forbidden
	case http.StatusNotFound:
		return azfunc.NotFound
	case http.StatusConflict:
		return azfunc.Conflict
	case http.StatusRequestEntityTooLarge:
		return azfunc.TooLarge
	}
	return azfunc.Unavailable
}

func decode(res *http.Response, v any) error {
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(v); err != nil {
		return azfunc.Errorf(azfunc.Unavailable, "read the manager's answer to %s: %w", res.Request.URL.Path, err)
	}
	return nil
}

// closeBody reads what is left, so that the connection can be used again.
func closeBody(res *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	_ = res.Body.Close()
}
