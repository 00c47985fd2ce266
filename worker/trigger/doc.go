// Package trigger starts functions: Router finds the function of an HTTP request, Timer fires one on its schedule.
//
// Routes are read as ASP.NET does (templates with constraints, catch-all, precedence) and a wrong method is no match.
// A timer runs only while its context lives, which is while the revision is active, and claims each due time from the
// manager before it fires, so that of all instances one does.
package trigger
