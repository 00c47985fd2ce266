// Package ncrontab reads the schedules of timer triggers and says when they are due.
//
// A schedule is an NCRONTAB expression of six fields (second first; five mean second 0) or a TimeSpan, and may name an
// app setting between percent signs. The reading is NCRONTAB's where it differs from cron's: a day must match the day
// of month AND the day of week. Everything is pure; the caller says what time it is.
package ncrontab
