package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// killedPath tells the test binary, started once more, to publish until it is killed.
const killedPath = "NIGHTSHIFT_TEST_KILLED_PATH"

// What a process was told is done is there after kill -9, whatever it was doing at that moment; the file is whole, and
// the next process opens it without anybody's help.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n.db")
	acknowledged := map[string]int64{}
	const rounds = 6
	for round := range rounds {
		for id, revision := range publishUntilKilled(t, path, 3+round*4) {
			acknowledged[id] = revision
		}
		checkAcknowledged(t, path, acknowledged)
	}
}

// publishUntilKilled returns the deployments that the killed process had been told are accepted.
func publishUntilKilled(t *testing.T, path string, enough int) map[string]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestPublishUntilKilled$", "-test.count=1")
	cmd.Env = append(os.Environ(), killedPath+"="+path)
	out, err := cmd.StdoutPipe()
	noError(t, err)
	noError(t, cmd.Start())
	told := map[string]int64{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "accepted" {
			revision, err := strconv.ParseInt(fields[2], 10, 64)
			noError(t, err)
			told[fields[1]] = revision
		}
		if len(told) == enough {
			noError(t, cmd.Process.Kill()) // and read on: what it said before it died counts
			enough = -1
		}
	}
	if err := cmd.Wait(); err == nil || enough != -1 {
		t.Fatalf("the process was not killed in the middle: %v", err)
	}
	return told
}

func checkAcknowledged(t *testing.T, path string, acknowledged map[string]int64) {
	t.Helper()
	db := open(t, path)
	defer func() { noError(t, db.Close()) }()
	a, err := db.App(t.Context(), "killed")
	noError(t, err)
	for id, revision := range acknowledged {
		d, err := db.Deployment(t.Context(), a.ID, id)
		noError(t, err)
		rev, err := db.Revision(t.Context(), a.ID, revision)
		noError(t, err)
		if d.Revision != revision || rev.DeploymentID != id || a.DesiredRevision < revision {
			t.Errorf("deployment %s was told revision %d, and has %d", id, revision, d.Revision)
		}
		if has, err := db.HasPackage(t.Context(), rev.PackageSHA256); err != nil || !has {
			t.Errorf("the package of %s is not there: %v", id, err)
		}
	}
	var verdict string
	noError(t, raw(t, path).QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("the file is damaged: %s", verdict)
	}
}

// TestPublishUntilKilled is the process that TestKilledProcessLosesNothing kills.
func TestPublishUntilKilled(t *testing.T) {
	path := os.Getenv(killedPath)
	if path == "" {
		t.Skip("runs in the process that TestKilledProcessLosesNothing starts")
	}
	db := open(t, path)
	a, err := db.App(t.Context(), "killed")
	if azfunc.CodeOf(err) == azfunc.NotFound {
		a = newApp(t, db, "killed")
	}
	unfinished, err := db.UnfinishedDeployments(t.Context())
	noError(t, err)
	for _, d := range unfinished {
		noError(t, db.EndDeployment(t.Context(), d.ID, store.StatusFailed, "interrupted"))
	}
	for {
		d := publish(t, db, a.ID)
		d, err := db.Deployment(t.Context(), a.ID, d.ID)
		noError(t, err)
		_, err = fmt.Fprintln(os.Stdout, "accepted", d.ID, d.Revision)
		noError(t, err)
	}
}
