package publish

import (
	"net/http"
	"time"

	"github.com/nightshift-functions/nightshift/internal/store"
)

// result is Kudu's DeployResult. Names are case-sensitive for some clients and the state must be a number.
type result struct {
	ID                 string     `json:"id"`
	Status             int        `json:"status"`
	StatusText         string     `json:"status_text"`
	AuthorEmail        string     `json:"author_email"`
	Author             string     `json:"author"`
	Deployer           string     `json:"deployer"`
	Message            string     `json:"message"`
	Progress           string     `json:"progress"`
	ReceivedTime       time.Time  `json:"received_time"`
	StartTime          time.Time  `json:"start_time"`
	EndTime            *time.Time `json:"end_time"`
	LastSuccessEndTime *time.Time `json:"last_success_end_time"`
	Complete           bool       `json:"complete"`
	Active             bool       `json:"active"`
	IsTemp             bool       `json:"is_temp"`
	IsReadonly         bool       `json:"is_readonly"`
	URL                string     `json:"url"`
	LogURL             string     `json:"log_url"`
	SiteName           string     `json:"site_name"`
	ProvisioningState  string     `json:"provisioningState"`
}

// failure is a result whose reason also stands where clients that print an error body show it.
type failure struct {
	result
	Reason string `json:"Message"`
}

func (s *Service) result(r *http.Request, d store.Deployment) result {
	t := targetOf(r)
	return newResult(d, t.baseURL(r)+"/api/deployments/"+d.ID, t.app.Name)
}

// newResult shows a deployment as Kudu does; url is its own absolute address.
func newResult(d store.Deployment, url, site string) result {
	out := result{
		ID: d.ID, Status: d.Status, StatusText: d.StatusText, AuthorEmail: d.AuthorEmail, Author: d.Author,
		Deployer: d.Deployer, Message: d.Message, Progress: d.Progress,
		ReceivedTime: d.ReceivedAt.UTC(), StartTime: d.StartedAt.UTC(), Complete: d.Complete(), Active: d.Active,
		IsReadonly: true, URL: url, LogURL: url + "/log", SiteName: site, ProvisioningState: "InProgress",
	}
	if d.StartedAt.IsZero() {
		out.StartTime = out.ReceivedTime
	}
	if !d.Complete() {
		return out
	}
	end := d.EndedAt.UTC()
	out.EndTime, out.Progress, out.ProvisioningState = &end, "", "Failed"
	if d.Status == store.StatusSuccess {
		out.LastSuccessEndTime, out.ProvisioningState = &end, "Succeeded"
	}
	return out
}

// logEntry is one line of a deployment's log as Kudu lists it.
type logEntry struct {
	LogTime    time.Time `json:"log_time"`
	ID         string    `json:"id"`
	Message    string    `json:"message"`
	Type       int       `json:"type"`
	DetailsURL *string   `json:"details_url"` // always null: a line holds everything
}
