package command

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/manager/server"
)

// client speaks to the running manager as az and a publish task would; it has no way around authorisation.
type client struct {
	addresses server.Addresses
	token     string
	http      http.Client
}

func signIn(ctx context.Context, a server.Addresses) (*client, error) {
	password, err := os.ReadFile(a.PasswordFile)
	if err != nil {
		return nil, azfunc.Errorf(azfunc.Unauthenticated, "the samples are published as admin, whose first password is not in %s any more: publish them yourself, or start with a new --data folder", a.PasswordFile)
	}
	c := &client{addresses: a, http: http.Client{Timeout: 4 * time.Minute}}
	form := url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {strings.TrimSpace(string(password))},
		"resource": {a.HTTPS + "/"}, "client_id": {"nightshift"}}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	err = c.do(ctx, request{method: http.MethodPost, url: a.HTTP + "/adfs/oauth2/token",
		body: []byte(form.Encode()), contentType: "application/x-www-form-urlencoded"}, &answer)
	c.token = answer.AccessToken
	return c, err
}

type request struct {
	method, url, contentType string
	user, password           string // Basic instead of Bearer
	body                     []byte
	location                 *string // receives the Location header
}

func (c *client) do(ctx context.Context, in request, out any) error {
	req, err := http.NewRequestWithContext(ctx, in.method, in.url, bytes.NewReader(in.body))
	if err != nil {
		return fmt.Errorf("make the request %s %s: %w", in.method, in.url, err)
	}
	req.Header.Set("Content-Type", in.contentType)
	if in.user != "" {
		req.SetBasicAuth(in.user, in.password)
	} else if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", in.method, in.url, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", in.method, in.url, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return azfunc.Errorf(azfunc.Invalid, "%s", sentence(res.Status, body))
	}
	if in.location != nil {
		*in.location = res.Header.Get("Location")
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the answer of %s %s: %w", in.method, in.url, err)
	}
	return nil
}

// sentence takes the message out of an ARM or a Kudu error body.
func sentence(status string, body []byte) string {
	var e struct {
		Message string `json:"Message"`
		Error   struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &e) == nil && e.Message+e.Error.Message != "" {
		return e.Message + e.Error.Message
	}
	return strings.TrimSpace(status + " " + string(body))
}

func (c *client) site(app string) string {
	return c.addresses.HTTP + server.DefaultGroupID + "/providers/Microsoft.Web/sites/" + app
}

func (c *client) arm(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode the body for %s: %w", path, err)
		}
	}
	return c.do(ctx, request{method: method, url: path + "?api-version=2024-11-01", body: body, contentType: "application/json"}, out)
}

func (c *client) functionKey(ctx context.Context, app, function string) (string, error) {
	var keys map[string]string
	if err := c.arm(ctx, http.MethodPost, c.site(app)+"/functions/"+function+"/listkeys", nil, &keys); err != nil {
		return "", fmt.Errorf("read the key of function %q: %w", function, err)
	}
	return keys["default"], nil
}

// publish creates the app and sends its zip, unless the very same one is live already.
func (c *client) publish(ctx context.Context, out io.Writer, s sample, folder string) error {
	if err := c.createApp(ctx, s); err != nil {
		return err
	}
	var cred struct {
		Properties struct {
			User     string `json:"publishingUserName"`
			Password string `json:"publishingPassword"`
		} `json:"properties"`
	}
	if err := c.arm(ctx, http.MethodPost, c.site(s.App)+"/config/publishingcredentials/list", nil, &cred); err != nil {
		return fmt.Errorf("read the publishing credentials: %w", err)
	}
	content, err := zipFolder(folder)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(content)
	p := publication{client: c, out: out, app: s.App, user: cred.Properties.User, password: cred.Properties.Password,
		message: "sample " + hex.EncodeToString(digest[:6])}
	if live, err := p.alreadyLive(ctx); err != nil || live {
		return err
	}
	_, _ = fmt.Fprintf(out, "\npublishing %s (%s, %d KB)\n", s.App, s.About, len(content)/1024)
	return p.send(ctx, content)
}

func (c *client) createApp(ctx context.Context, s sample) error {
	if err := c.arm(ctx, http.MethodGet, c.site(s.App), nil, nil); err == nil {
		return nil
	}
	settings := make([]map[string]string, 0, len(s.Settings))
	for k, v := range s.Settings {
		settings = append(settings, map[string]string{"name": k, "value": v})
	}
	body := map[string]any{"location": "local", "kind": "functionapp",
		"properties": map[string]any{"siteConfig": map[string]any{"appSettings": settings}}}
	if err := c.arm(ctx, http.MethodPut, c.site(s.App), body, nil); err != nil {
		return fmt.Errorf("create app %q: %w", s.App, err)
	}
	return nil
}

// zipFolder packs a folder with fixed times, so that the same content always has the same digest.
func zipFolder(folder string) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return addFile(w, folder, path)
	})
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", folder, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", folder, err)
	}
	return buf.Bytes(), nil
}

func addFile(w *zip.Writer, folder, path string) error {
	name, err := filepath.Rel(folder, path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	header := &zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate}
	header.SetMode(info.Mode())
	dst, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = dst.Write(content)
	return err
}
