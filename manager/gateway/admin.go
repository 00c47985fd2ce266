package gateway

import (
	"net/http"
	"strings"
)

// door is who answers a path.
type door int

// An instance answers unless the path is one of the host's own.
const (
	doorInstance door = iota
	doorManager
	doorClosed
)

// adminSegments reads a decoded path as the most lenient server would: empty and "." segments fall away, ".." climbs,
// a backslash separates too. reserved is true when what is left begins with "admin" in any case; no other reading of
// the path by an instance can then open a door that is closed here, because an instance gets the path that is made of
// these very segments.
func adminSegments(path string) (segments []string, reserved bool) {
	if !mentionsAdmin(path) { // nearly all requests: no allocation
		return nil, false
	}
	for _, s := range strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		switch s {
		case ".":
		case "..":
			segments = segments[:max(len(segments)-1, 0)]
		default:
			segments = append(segments, s)
		}
	}
	return segments, len(segments) > 0 && strings.EqualFold(segments[0], "admin")
}

// mentionsAdmin reports whether the word is in path at all, in any case.
func mentionsAdmin(path string) bool {
	const word = "admin"
	for i := 0; i+len(word) <= len(path); i++ {
		if path[i]|0x20 == 'a' && strings.EqualFold(path[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// doorOf decides over the segments of an /admin path (the table is section 4 of the design and the admin API of
// Azure's host) and returns the canonical path: fixed words in lower case, names as they were sent. slash is whether the path ended with one.
func doorOf(method string, segments []string, slash bool) (door, string) {
	for i := range min(len(segments), 2) {
		segments[i] = strings.ToLower(segments[i])
	}
	d := doorClosed
	if len(segments) > 1 {
		switch segments[1] {
		case "host":
			d = hostDoor(method, segments[2:])
		case "functions":
			d = functionsDoor(method, segments[2:])
		case "vfs":
			d = doorManager
		}
	}
	path := "/" + strings.Join(segments, "/")
	if d == doorManager && slash {
		path += "/" // of vfs, whose folders are asked for so
	}
	return d, path
}

// hostDoor decides over /admin/host/<rest>.
func hostDoor(method string, rest []string) door {
	if len(rest) == 0 {
		return doorClosed
	}
	rest[0] = strings.ToLower(rest[0])
	switch rest[0] {
	case "keys", "functionkeys", "systemkeys":
		return doorManager
	case "status", "ping":
		return openTo(len(rest) == 1, method, http.MethodGet, http.MethodHead, http.MethodPost)
	case "synctriggers":
		return openTo(len(rest) == 1, method, http.MethodPost)
	}
	return doorClosed
}

// functionsDoor decides over /admin/functions[/<rest>].
func functionsDoor(method string, rest []string) door {
	switch {
	case len(rest) == 0:
		return openTo(true, method, http.MethodGet, http.MethodHead)
	case len(rest) == 1 && (method == http.MethodPut || method == http.MethodDelete):
		return doorManager
	case len(rest) == 1:
		return openTo(true, method, http.MethodGet, http.MethodHead, http.MethodPost)
	}
	rest[1] = strings.ToLower(rest[1])
	switch rest[1] {
	case "keys":
		return doorManager
	case "status":
		return openTo(len(rest) == 2, method, http.MethodGet, http.MethodHead)
	}
	return doorClosed
}

func openTo(exact bool, method string, methods ...string) door {
	for _, m := range methods {
		if exact && m == method {
			return doorInstance
		}
	}
	return doorClosed
}
