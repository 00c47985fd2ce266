package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/manager/server"
)

type serveCommand struct {
	Data         string `default:"./.nightshift" help:"Folder that holds all state; made with mode 0700."`
	HTTPAddr     string `default:"127.0.0.1:7080" help:"Management API, sign-in and publish endpoint; http, loopback only."`
	HTTPSAddr    string `default:"127.0.0.1:7443" help:"The same over https."`
	AppHTTPAddr  string `default:"127.0.0.1:7081" help:"The apps; http."`
	AppHTTPSAddr string `default:"127.0.0.1:7444" help:"The apps; https."`
	LinkAddr     string `default:"127.0.0.1:7082" help:"The workers' link to the manager; loopback only."`
	Domain       string `default:"functions.localhost" help:"Apps answer as <app>.<domain>."`
	Worker       string `help:"The worker's program; found beside the manager's when not given."`
	Languages    string `help:"Folder with our language workers; found beside the manager's program when not given."`
	Samples      string `help:"Publish the sample apps of this folder through the publish endpoint and print how to call them."`
	LogFile      string `default:"" help:"Log file; <data>/logs/manager.log when not given, - for standard error."`
	LogLevel     string `default:"info" enum:"trace,debug,info,warn,error" help:"Level of the log file; warnings always go to standard error as well."`
}

// Run serves until SIGINT or SIGTERM; a second one ends the process at once.
func (c serveCommand) Run(s streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	cfg, err := c.config(s)
	if err != nil {
		return err
	}
	if err := server.PrepareData(cfg.DataDir); err != nil {
		return err
	}
	log, closeLog, err := c.logger(s.stderr)
	if err != nil {
		return err
	}
	defer closeLog()
	srv, err := server.New(ctx, cfg, log)
	if err != nil {
		return err
	}
	if err := srv.Start(ctx); err != nil {
		return errors.Join(err, srv.Stop())
	}
	greet(s.stdout, srv, time.Since(began))
	if c.Samples != "" {
		if err := publishSamples(ctx, s.stdout, srv, c.Samples); err != nil && ctx.Err() == nil {
			_, _ = fmt.Fprintf(s.stderr, "samples: %s\n", explain(err))
		}
	}
	err = srv.Wait(ctx)
	stop() // a second Ctrl-C ends the manager at once, and that ends its instances
	_, _ = fmt.Fprintln(s.stdout, "stopping: apps finish their requests; Ctrl-C again ends them now")
	return errors.Join(err, srv.Stop())
}

func (c serveCommand) config(s streams) (server.Config, error) {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return server.Config{}, fmt.Errorf("resolve --data %q: %w", c.Data, err)
	}
	worker, languages, err := c.programs()
	return server.Config{
		DataDir: data, HTTPAddr: c.HTTPAddr, HTTPSAddr: c.HTTPSAddr, AppHTTPAddr: c.AppHTTPAddr, AppHTTPSAddr: c.AppHTTPSAddr,
		LinkAddr: c.LinkAddr, Domain: c.Domain, WorkerPath: worker, LanguagesDir: languages, SearchPath: s.env["PATH"],
	}, err
}

// programs finds the worker and the language workers where make and the release archive put them: beside the
// manager's program, or, in a checkout, one folder up.
func (c serveCommand) programs() (worker, languages string, err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", "", fmt.Errorf("find the manager's own program: %w", err)
	}
	dir := filepath.Dir(exe)
	worker, err = firstExisting("worker's program", "--worker", c.Worker, filepath.Join(dir, "worker"+filepath.Ext(exe)))
	if err != nil {
		return "", "", err
	}
	languages, err = firstExisting("folder of the language workers", "--languages", c.Languages,
		filepath.Join(dir, "languages"), filepath.Join(dir, "..", "languages"))
	return worker, languages, err
}

func firstExisting(what, flag, given string, places ...string) (string, error) {
	if given != "" {
		places = []string{given}
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return filepath.Abs(p)
		}
	}
	return "", azfunc.Errorf(azfunc.Invalid, "the %s is not at %q; say where it is with %s", what, places, flag)
}

// logger writes everything to the log file and warnings to standard error as well.
func (c serveCommand) logger(stderr io.Writer) (zerolog.Logger, func(), error) {
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		return zerolog.Nop(), nil, fmt.Errorf("log level %q: %w", c.LogLevel, err)
	}
	console := zerolog.ConsoleWriter{Out: stderr, TimeFormat: time.TimeOnly, NoColor: true}
	if c.LogFile == "-" {
		return zerolog.New(console).Level(level).With().Timestamp().Logger(), func() {}, nil
	}
	path := c.LogFile
	if path == "" {
		path = filepath.Join(c.Data, "logs", "manager.log")
	}
	file := &lumberjack.Logger{Filename: path, MaxSize: 20, MaxBackups: 5}
	warnings := &zerolog.FilteredLevelWriter{Writer: zerolog.LevelWriterAdapter{Writer: console}, Level: zerolog.WarnLevel}
	both := zerolog.MultiLevelWriter(file, warnings)
	return zerolog.New(both).Level(level).With().Timestamp().Logger(), func() { _ = file.Close() }, nil
}

func greet(out io.Writer, srv *server.Server, took time.Duration) {
	a := srv.Addresses()
	_, _ = fmt.Fprintf(out, `Nightshift is up after %s.
  management, sign-in    %s  and  %s
  publish endpoint       %s/scm/<app>
  apps                   %s/<app>/api/<function>  and  %s/<app>/api/<function>
  sign in as             admin, password in %s
  state                  %s (Ctrl-C stops everything; the next start brings the apps back)
`, took.Round(time.Millisecond), a.HTTP, a.HTTPS, a.HTTP, a.AppHTTP, a.AppHTTPS, a.PasswordFile, a.DataDir)
}
