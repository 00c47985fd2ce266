package jobspecs

import (
	"strconv"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const (
	idPrefix          = "fn-"
	idRevision        = ".r"
	minRevisionNumber = 1
)

// JobID returns the id of a revision's job. Apps' names are compared without regard to case, so the id has the name
// in lower case.
func JobID(app string, revision int64) string {
	return ServiceName(app) + idRevision + strconv.FormatInt(revision, 10)
}

// ServiceName returns the name under which all instances of an app, of whatever revision, are registered. With an
// app's name of at most 60 characters it is a DNS label.
func ServiceName(app string) string { return idPrefix + strings.ToLower(app) }

// ParseJobID takes a job id apart; app is in lower case. The error is Invalid for everything that JobID does not
// return, so that jobs of other people in the same namespace are told apart from ours.
func ParseJobID(id string) (app string, revision int64, err error) {
	rest, ours := strings.CutPrefix(id, idPrefix)
	dot := strings.LastIndex(rest, idRevision)
	if !ours || dot < 0 {
		return "", 0, notOurs(id)
	}
	app = rest[:dot]
	revision, err = strconv.ParseInt(rest[dot+len(idRevision):], 10, 64)
	if err != nil || revision < minRevisionNumber || azfunc.ValidateAppName(app) != nil || JobID(app, revision) != id {
		return "", 0, notOurs(id)
	}
	return app, revision, nil
}

func notOurs(id string) error {
	return azfunc.Errorf(azfunc.Invalid, "%q is not the id of a revision's job; those look like fn-<app>.r<revision>", id)
}
