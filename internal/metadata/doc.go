// Package metadata reads what an app is from its content, before anything of it runs. The content comes as a file
// system (a checked zip through archive's FS, or an unpacked folder), the settings from the app, and what this
// installation can run from the caller; the answer is a Report, or an error when nothing of the app can run.
//
// The manager asks at publish time, so that a mistake is told while its author is looking; the worker asks again
// before it starts the app. One function that cannot run does not take the others down: it stands in the report with
// its reasons, as a function error does in Azure. Every text is for the app's author and names the file and the way out.
package metadata
