package host

import (
	"context"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// The worker's defaults for hostapi.Limits.
const (
	defaultStartTimeout = 120 * time.Second
	defaultDrainTimeout = 30 * time.Second
	defaultMaxBody      = 100 << 20
	// defaultFunctionTimeout is Azure's for plans that are not Consumption.
	defaultFunctionTimeout = 30 * time.Minute
)

// Link is the manager, as the host uses it; internal/hostapi/client has it.
//
//nolint:interfacebloat // the link is one thing, and tests use the real client
type Link interface {
	App(ctx context.Context, etag string, wait time.Duration) (*hostapi.App, string, error)
	Package(ctx context.Context, sha256 string, w io.Writer) error
	Report(ctx context.Context, r hostapi.InstanceReport) error
	Triggers(ctx context.Context, t hostapi.Triggers) error
	Invocations(ctx context.Context, b hostapi.InvocationBatch) error
	Logs(ctx context.Context, b hostapi.LogBatch) error
	Schedule(ctx context.Context, function string) (hostapi.Schedule, error)
	Claim(ctx context.Context, function string, o hostapi.Occurrence) error
}

// Config is what a Host needs to know before it asks the manager.
type Config struct {
	App          string
	Revision     int64
	InstanceID   string
	Version      string // of the worker
	Listen       string // host:port
	CacheDir     string // packages by digest; "" means a folder in WorkDir
	WorkDir      string
	LanguagesDir string
	// Base is what of the worker's own environment function code may see (PATH and the like).
	Base map[string]string
	Link Link
	Log  zerolog.Logger
}

func seconds(n int, fallback time.Duration) time.Duration {
	if n <= 0 {
		return fallback
	}
	return time.Duration(n) * time.Second
}
