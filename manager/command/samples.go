package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/manager/server"
)

// sample is one entry of samples.json.
type sample struct {
	App      string            `json:"app"`
	Folder   string            `json:"folder"`
	About    string            `json:"about"`
	Settings map[string]string `json:"settings"`
	Calls    []sampleCall      `json:"calls"`
}

type sampleCall struct {
	Path        string `json:"path"`
	Method      string `json:"method"`
	Body        string `json:"body"`
	ContentType string `json:"contentType"`
	Function    string `json:"function"` // this call needs the function's key
}

// publishSamples does over HTTP what any client does: sign in, create the app, publish the zip, read the key.
func publishSamples(ctx context.Context, out io.Writer, srv *server.Server, folder string) error {
	samples, err := readSamples(folder)
	if err != nil {
		return err
	}
	c, err := signIn(ctx, srv.Addresses())
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	var running []sample
	for _, s := range samples {
		if err := c.publish(ctx, out, s, filepath.Join(folder, s.Folder)); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			_, _ = fmt.Fprintf(out, "\nSKIPPED %s (%s): %s\n", s.App, s.About, explain(err))
			continue
		}
		running = append(running, s)
	}
	return c.printCalls(ctx, out, running)
}

func readSamples(folder string) ([]sample, error) {
	path := filepath.Join(folder, "samples.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, azfunc.Errorf(azfunc.Invalid, "the samples cannot be read: %w; --samples takes a folder with a samples.json (make samples makes one)", err)
	}
	var samples []sample
	if err := json.Unmarshal(raw, &samples); err != nil {
		return nil, azfunc.Errorf(azfunc.Invalid, "%s is not valid: %w", path, err)
	}
	return samples, nil
}

func (c *client) printCalls(ctx context.Context, out io.Writer, samples []sample) error {
	_, _ = fmt.Fprintln(out, "\nTry:")
	for _, s := range samples {
		for _, call := range s.Calls {
			line, err := c.curl(ctx, s, call)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintln(out, "  "+line)
		}
	}
	return nil
}

func (c *client) curl(ctx context.Context, s sample, call sampleCall) (string, error) {
	parts := []string{"curl"}
	if call.Method != "" && call.Body == "" {
		parts = append(parts, "-X", call.Method)
	}
	if call.ContentType != "" {
		parts = append(parts, "-H", quote("content-type: "+call.ContentType))
	}
	if call.Body != "" {
		parts = append(parts, "-d", quote(call.Body))
	}
	target := c.addresses.AppHTTP + "/" + s.App + call.Path
	if call.Function != "" {
		key, err := c.functionKey(ctx, s.App, call.Function)
		if err != nil {
			return "", err
		}
		target += "?code=" + key
	}
	return strings.Join(append(parts, quote(target)), " "), nil
}

// quote makes a word that both a POSIX shell and, thanks to the double quotes inside being escaped, cmd.exe take.
func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
