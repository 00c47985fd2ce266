package store

import (
	"context"
	"strconv"
)

// AppendDeploymentLog adds a line to a deployment's log; type is 0 for a message, 1 for a warning, 2 for an error.
// NotFound when there is no deployment with the id.
func (db *DB) AppendDeploymentLog(ctx context.Context, id string, logType int, message string) error {
	return db.write(ctx, "log to deployment "+id, func(tx *Tx) error {
		d, err := tx.deployment(ctx, id)
		if err != nil {
			return err
		}
		return tx.appendLogs(ctx, d.AppID, id, []DeploymentLog{{Type: logType, Message: message}})
	})
}

func (tx *Tx) appendLogs(ctx context.Context, appID, id string, logs []DeploymentLog) error {
	tx.topics = append(tx.topics, AppTopic(appID))
	for _, l := range logs {
		if l.At.IsZero() {
			l.At = tx.now
		}
		_, err := tx.exec(ctx, "INSERT INTO deployment_logs (deployment_id, at, type, message) VALUES (@id, @at, @type, @message)",
			p("id", id), p("at", l.At), p("type", l.Type), p("message", l.Message))
		if err != nil {
			return err
		}
	}
	return nil
}

func scanDeploymentLog(r row) (DeploymentLog, error) {
	var l DeploymentLog
	err := r.Scan(&l.ID, timeInto{&l.At}, &l.Type, &l.Message)
	return l, err
}

// DeploymentLogs lists a deployment's log in the order it was written.
func (db *DB) DeploymentLogs(ctx context.Context, id string, page Page) (logs []DeploymentLog, next string, err error) {
	after, err := page.number(0)
	if err != nil {
		return nil, "", err
	}
	err = db.read(ctx, "read the log of deployment "+id, func(tx *Tx) error {
		logs, next, err = paged(ctx, tx, page, scanDeploymentLog,
			func(l DeploymentLog) string { return token(strconv.FormatInt(l.ID, 10)) },
			"SELECT id, at, type, message FROM deployment_logs WHERE deployment_id = @id AND id > @after ORDER BY id",
			p("id", id), p("after", after))
		return err
	})
	return logs, next, err
}
