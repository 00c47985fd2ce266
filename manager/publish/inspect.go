package publish

import (
	"context"
	"fmt"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/archive"
	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/metadata"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// inspect checks a received zip and reads what the app in it is, with the app's settings. What cannot run is refused
// here, while the publisher is still looking: the error is for them.
func (s *Service) inspect(ctx context.Context, up *upload, settings map[string]string) (metadata.Report, error) {
	index, err := archive.Check(up.file, up.size, s.cfg.Limits)
	if err != nil {
		return metadata.Report{}, err
	}
	if err := index.Verify(ctx); err != nil {
		return metadata.Report{}, err
	}
	report, err := metadata.Read(metadata.Input{
		Content: index.FS(), Settings: settings, Runtimes: s.cfg.Runtimes, Unusable: s.cfg.Unusable, Support: s.cfg.Support,
	})
	if err != nil {
		return metadata.Report{}, err
	}
	report.Warnings = append(index.Warnings, report.Warnings...)
	return report, nil
}

// unused tells about settings that steer a publish in Azure and do nothing here.
func unused(settings map[string]string) []string {
	var warnings []string
	if v := azfunc.Setting(settings, "WEBSITE_RUN_FROM_PACKAGE"); strings.HasPrefix(strings.ToLower(v), "http") {
		warnings = append(warnings, "the app setting WEBSITE_RUN_FROM_PACKAGE holds an address, which this release does not fetch: the uploaded package runs")
	}
	for _, name := range []string{"SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD"} {
		if v := azfunc.Setting(settings, name); strings.EqualFold(v, "true") || v == "1" {
			warnings = append(warnings, "the app setting "+name+" asks for a build on the server, which is not in this release: the package runs as it was uploaded")
		}
	}
	return warnings
}

// tell writes what was found into the deployment's log.
func (s *Service) tell(ctx context.Context, d store.Deployment, report metadata.Report) {
	warnings := report.Warnings
	report.Warnings = nil
	for _, line := range report.Lines() {
		s.line(ctx, d, kindMessage, line)
	}
	for _, warning := range warnings {
		s.line(ctx, d, kindWarning, warning)
	}
}

// problemsOf takes a refusal apart into the lines of a log.
func problemsOf(cause error) []string {
	var lines []string
	for line := range strings.Lines(messageOf(cause)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// bytesText shows a size in the unit people use for it.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
