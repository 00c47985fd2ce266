package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// publication is one zip on its way through the publish endpoint.
type publication struct {
	*client
	out                          io.Writer
	app, user, password, message string
	shown                        int // log lines printed so far
}

// deployResult is Kudu's answer, as far as it is read here.
type deployResult struct {
	ID         string `json:"id"`
	Status     int    `json:"status"`
	StatusText string `json:"status_text"`
	Message    string `json:"message"`
	Active     bool   `json:"active"`
}

const (
	deployFailed  = 3
	deploySuccess = 4
)

func (p *publication) scm(ctx context.Context, path string, out any) error {
	return p.do(ctx, request{method: http.MethodGet, url: p.addresses.HTTP + "/scm/" + p.app + path, user: p.user, password: p.password}, out)
}

func (p *publication) alreadyLive(ctx context.Context) (bool, error) {
	var all []deployResult
	if err := p.scm(ctx, "/api/deployments", &all); err != nil {
		return false, fmt.Errorf("list the deployments: %w", err)
	}
	for _, d := range all {
		if d.Active && d.Message == p.message {
			_, _ = fmt.Fprintf(p.out, "\n%s is as it was published\n", p.app)
			return true, nil
		}
	}
	return false, nil
}

func (p *publication) send(ctx context.Context, content []byte) error {
	began := time.Now()
	var accepted deployResult
	target := p.addresses.HTTP + "/scm/" + p.app + "/api/zipdeploy?isAsync=true&deployer=nightshift-samples&message=" + url.QueryEscape(p.message)
	err := p.do(ctx, request{method: http.MethodPost, url: target, user: p.user, password: p.password, body: content, contentType: "application/zip"}, &accepted)
	if err != nil {
		return err
	}
	result, err := p.follow(ctx, accepted.ID)
	if err != nil {
		return err
	}
	if result.Status == deployFailed {
		return azfunc.Errorf(azfunc.Invalid, "the deployment failed: %s", result.StatusText)
	}
	_, _ = fmt.Fprintf(p.out, "  %s answers after %s\n", p.app, time.Since(began).Round(10*time.Millisecond))
	return nil
}

// follow prints the deployment's log as it grows, until it ends.
func (p *publication) follow(ctx context.Context, id string) (deployResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var result deployResult
		if err := p.scm(ctx, "/api/deployments/"+id, &result); err != nil {
			return result, fmt.Errorf("follow deployment %s: %w", id, err)
		}
		if err := p.printLog(ctx, id); err != nil {
			return result, err
		}
		if result.Status == deployFailed || result.Status == deploySuccess {
			return result, nil
		}
		select {
		case <-ctx.Done():
			return result, fmt.Errorf("follow deployment %s: %w", id, ctx.Err())
		case <-tick.C:
		}
	}
}

func (p *publication) printLog(ctx context.Context, id string) error {
	var lines []struct {
		Message string `json:"message"`
	}
	if err := p.scm(ctx, "/api/deployments/"+id+"/log", &lines); err != nil {
		return fmt.Errorf("read the log of deployment %s: %w", id, err)
	}
	for ; p.shown < len(lines); p.shown++ {
		_, _ = fmt.Fprintln(p.out, "  "+strings.TrimSpace(lines[p.shown].Message))
	}
	return nil
}
