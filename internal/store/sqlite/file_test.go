package sqlite_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/internal/store/sqlite"
)

func newApp(t testing.TB, db *store.DB, name string) store.App {
	t.Helper()
	ctx := t.Context()
	noError(t, db.PutSubscription(ctx, store.Subscription{ID: "s", Name: "s"}))
	noError(t, db.PutResourceGroup(ctx, store.ResourceGroup{SubscriptionID: "s", Name: "rg"}))
	a, err := db.CreateApp(ctx, store.App{Name: name, SubscriptionID: "s", ResourceGroup: "rg", PublishPassword: "publish-password-in-clear"})
	noError(t, err)
	return a
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused opens and expects an error with the code and all of the words.
func refused(t *testing.T, path string, s store.Sealer, code azfunc.Code, words ...string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, s, sqlite.Options{})
	if err == nil {
		t.Fatal(errors.Join(errors.New("it was opened"), db.Close()))
	}
	if azfunc.CodeOf(err) != code {
		t.Errorf("want code %s, got %v", code, err)
	}
	for _, word := range words {
		if !strings.Contains(azfunc.MessageOf(err), word) {
			t.Errorf("the message lacks %q: %s", word, azfunc.MessageOf(err))
		}
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	t.Parallel()
	// A path may hold what a URI would take for something else.
	path := filepath.Join(t.TempDir(), "new folder?", "a#b%20c.db")
	db := open(t, path)
	a := newApp(t, db, "kept")
	want := map[string]string{"A": "1"}
	_, _, err := db.ReplaceSettings(t.Context(), a.ID, want, 0, false)
	noError(t, err)
	epoch, err := db.TakeEpoch(t.Context(), "one")
	noError(t, err)
	noError(t, db.Close())

	db = open(t, path)
	again, err := db.App(t.Context(), "KEPT")
	noError(t, err)
	got, _, err := db.Settings(t.Context(), a.ID)
	noError(t, err)
	if diff := cmp.Diff([]any{a, want}, []any{again, got}); diff != "" {
		t.Error(diff)
	}
	next, err := db.TakeEpoch(t.Context(), "two")
	noError(t, err)
	if next != epoch+1 {
		t.Errorf("epoch %d after %d", next, epoch)
	}
	info, err := os.Stat(path)
	noError(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
}

// The store is closed while a package comes in: nothing of it is seen afterwards, the second attempt succeeds, and
// what the first left is removed in its time.
func TestReopenInTheMiddleOfAPackage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	raw := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	sum := sha256.Sum256(raw)
	digest := hex.EncodeToString(sum[:])

	db := open(t, path)
	cut := &closeAfter{Reader: bytes.NewReader(raw), left: 2<<20 + 5, close: db.Close}
	if err := db.PutPackage(t.Context(), digest, int64(len(raw)), cut); err == nil {
		t.Fatal("a package came in through a closed store")
	}
	left, chunks := pieces(t, path)
	if left != 1 || chunks == 0 {
		t.Fatalf("the test is not in the middle of a package: %d uploads, %d pieces", left, chunks)
	}

	db = open(t, path)
	has, err := db.HasPackage(t.Context(), digest)
	noError(t, err)
	if has {
		t.Fatal("half a package is there")
	}
	noError(t, db.PutPackage(t.Context(), digest, int64(len(raw)), bytes.NewReader(raw)))
	r, err := db.OpenPackage(t.Context(), digest)
	noError(t, err)
	got, err := io.ReadAll(r)
	noError(t, err)
	if !bytes.Equal(raw, got) {
		t.Error("the package differs")
	}
	db.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if _, err := db.PrunePackages(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	noError(t, db.Close())
	if left, chunks := pieces(t, path); left != 0 || chunks != 0 {
		t.Errorf("%d uploads and %d pieces are left", left, chunks)
	}
}

type closeAfter struct {
	io.Reader
	left  int
	close func() error
}

func (c *closeAfter) Read(p []byte) (int, error) {
	if c.left <= 0 && c.close != nil {
		if err := c.close(); err != nil {
			return 0, err
		}
		c.close = nil
	}
	n, err := c.Reader.Read(p[:min(len(p), 4096)])
	c.left -= n
	return n, err
}

// raw opens the file beside the store.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	noError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func pieces(t testing.TB, path string) (uploads, chunks int) {
	t.Helper()
	db := raw(t, path)
	noError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM uploads").Scan(&uploads))
	noError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM package_chunks").Scan(&chunks))
	noError(t, db.Close())
	return uploads, chunks
}

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	db := open(t, path)
	refused(t, path, sealer(t, 1), azfunc.Conflict, path, fmt.Sprint("process ", os.Getpid()))
	noError(t, db.Close())
	noError(t, open(t, path).Close())
}

func TestUnusablePlacesAreNamed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	noError(t, os.WriteFile(file, []byte("this is not a database, it only looks as long as one............................................................"), 0o600))
	noError(t, os.Mkdir(filepath.Join(folder, "dir.db"), 0o700))
	s := sealer(t, 1)
	refused(t, filepath.Join(file, "n.db"), s, azfunc.Unavailable, file, "not writable", "choose another data folder")
	refused(t, filepath.Join(folder, "dir.db"), s, azfunc.Unavailable, "dir.db")
	refused(t, file, s, azfunc.Unavailable, file, "damaged or not a database", "restore")
	// What could not be opened is not locked either.
	noError(t, os.Remove(file))
	noError(t, open(t, file).Close())
}

func TestReadOnlyFolderIsNamed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere: run as another account to see this")
	}
	folder := filepath.Join(t.TempDir(), "read-only")
	noError(t, os.Mkdir(folder, 0o500))
	refused(t, filepath.Join(folder, "n.db"), sealer(t, 1), azfunc.Unavailable, folder, "not writable")
}

// Pages in the middle of the file are overwritten: reading them is an error that names the file, not wrong data.
func TestDamagedDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	db := open(t, path)
	newApp(t, db, "lost")
	noError(t, db.Close())
	content, err := os.ReadFile(path)
	noError(t, err)
	for i := 8192; i < len(content); i++ {
		content[i] = 0xa5
	}
	noError(t, os.WriteFile(path, content, 0o600))
	refused(t, path, sealer(t, 1), azfunc.Unavailable, path, "damaged", "restore the last backup")
}

func TestNewerDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	noError(t, open(t, path).Close())
	_, err := raw(t, path).ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (29990101000000, 1)")
	noError(t, err)
	refused(t, path, sealer(t, 1), azfunc.Unavailable, path, "newer Nightshift", "29990101000000")
}

func TestWrongKeyFileIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	noError(t, open(t, path).Close())
	refused(t, path, sealer(t, 2), azfunc.Unavailable, "key file does not belong to this database")
	noError(t, open(t, path).Close())
}

func TestMigrationIsLogged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	var log bytes.Buffer
	for range 2 {
		db, err := sqlite.Open(t.Context(), path, sealer(t, 1), sqlite.Options{Log: zerolog.New(&log)})
		noError(t, err)
		noError(t, db.Close())
	}
	steps, err := filepath.Glob("migrations/*.sql")
	noError(t, err)
	if n := strings.Count(log.String(), "database migrated"); n != len(steps) || len(steps) == 0 {
		t.Errorf("%d lines for %d steps:\n%s", n, len(steps), log.String())
	}
}

// A value that was moved to another row by hand does not open there.
func TestMovedSecretDoesNotOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	db := open(t, path)
	ann, bob := newApp(t, db, "ann"), newApp(t, db, "bob")
	_, _, err := db.ReplaceSettings(t.Context(), ann.ID, map[string]string{"A": "secret of ann"}, 0, false)
	noError(t, err)
	noError(t, db.Close())
	_, err = raw(t, path).ExecContext(t.Context(), "UPDATE settings SET sealed = (SELECT sealed FROM settings WHERE app_id = ?) WHERE app_id = ?", ann.ID, bob.ID)
	noError(t, err)
	db = open(t, path)
	if values, _, err := db.Settings(t.Context(), bob.ID); err == nil {
		t.Errorf("bob reads %v", values)
	}
	if _, _, err := db.Settings(t.Context(), ann.ID); err != nil {
		t.Error(err)
	}
}

// No file of the database holds a secret in clear, neither now nor after the values were replaced.
func TestSecretsAreNotInTheFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	db := open(t, filepath.Join(folder, "n.db"))
	ctx := t.Context()
	a := newApp(t, db, "secretive")
	key, err := keys.Generate()
	noError(t, err)
	secrets := []string{"publish-password-in-clear", "setting-in-clear", "second-setting-in-clear", "scm-setting-in-clear", key}
	for _, value := range secrets[1:3] {
		_, _, err = db.ReplaceSettings(ctx, a.ID, map[string]string{"NAME_OF_A_SETTING": value}, 0, true)
		noError(t, err)
		publish(t, db, a.ID)
	}
	noError(t, db.PutSCMSettings(ctx, a.ID, map[string]string{"S": secrets[3]}, nil))
	_, err = db.PutKey(ctx, a.ID, store.Key{Kind: "host", Name: "default", Value: key})
	noError(t, err)
	search(t, folder, secrets, a.ID) // with the write-ahead log
	noError(t, db.Close())
	search(t, folder, secrets, a.ID)
}

// publish brings in a package of two pieces that there was never before, and deploys it.
func publish(t testing.TB, db *store.DB, appID string) store.Deployment {
	t.Helper()
	content := bytes.Repeat([]byte(uuid.NewString()), 30_000)
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	noError(t, db.PutPackage(t.Context(), digest, int64(len(content)), bytes.NewReader(content)))
	d, err := db.BeginDeployment(t.Context(), store.Deployment{AppID: appID})
	noError(t, err)
	_, err = db.AcceptDeployment(t.Context(), d.ID, store.AcceptInput{PackageSHA256: digest, PackageSize: int64(len(content))})
	noError(t, err)
	noError(t, db.EndDeployment(t.Context(), d.ID, store.StatusSuccess, ""))
	return d
}

// search fails when a file holds a secret, or when none holds what is no secret: then it would look in the wrong place.
func search(t *testing.T, folder string, secrets []string, plain string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	noError(t, err)
	found := false
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(folder, f.Name()))
		noError(t, err)
		found = found || bytes.Contains(content, []byte(plain))
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds %q", f.Name(), secret)
			}
		}
	}
	if !found {
		t.Errorf("no file of %d holds even what is no secret", len(files))
	}
}

// Many open the same new file at once: one gets it, all others are told who has it.
func TestOpenRace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	s := sealer(t, 1)
	type outcome struct {
		db  *store.DB
		err error
	}
	outcomes := make(chan outcome)
	const openers = 6
	ctx := context.WithoutCancel(t.Context())
	for range openers {
		go func() {
			db, err := sqlite.Open(ctx, path, s, sqlite.Options{})
			outcomes <- outcome{db, err}
		}()
	}
	var all []outcome
	for range openers {
		all = append(all, <-outcomes)
	}
	won := 0
	for _, o := range all {
		if o.err == nil {
			won++
			noError(t, o.db.Close())
		} else if azfunc.CodeOf(o.err) != azfunc.Conflict {
			t.Error(o.err)
		}
	}
	if won != 1 {
		t.Errorf("%d have it open", won)
	}
}
