package admin

import (
	"context"
	"net/http"
	"strings"

	"go.uber.org/zap"
)

// An audit is what the log tells of a command: a request that may change something, or
// with which all that is stored leaves.
type audit struct {
	// by is how who gave the command was known: token, session, or loopback where the
	// one thing that is asked is to be on this machine. Empty: nobody entitled gave it,
	// and nothing was done.
	by string
	// through is api or dashboard.
	through string
}

type auditKey struct{}

// A doorkeeper is a Dashboard that knows who has logged in.
type doorkeeper interface {
	IsLoggedIn(r *http.Request) bool
}

// serveAudited serves a command and logs it, also when it failed. What was refused to
// somebody who may not give it is not logged here, so that nobody can fill the log, and
// what makes no sense is no command.
func (s *Server) serveAudited(w http.ResponseWriter, r *http.Request) {
	a := &audit{through: "api"}
	r = r.WithContext(context.WithValue(r.Context(), auditKey{}, a))
	answer := &answered{ResponseWriter: w}
	defer func() {
		isRoute := r.Pattern != "" && r.Pattern != "/"
		if a.by != "" && isRoute && !isSenseless(answer.status) {
			s.log.Info("admin.ordered", commandFields(r, a, answer.status)...)
		}
	}()
	s.routes.ServeHTTP(answer, r)
}

func isSenseless(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return true
	}
	return false
}

// commandFields tells what the command was. Nothing of a body is in it, nor of a query.
func commandFields(r *http.Request, a *audit, status int) []zap.Field {
	route, subject := subjectOf(r)
	fields := append([]zap.Field{zap.String("what", r.Method+" "+route)}, subject...)
	return append(fields, zap.Int("result", status), zap.String("from", hostname(r.RemoteAddr)),
		zap.String("by", a.by), zap.String("through", a.through))
}

// subjectOf returns the pattern of the route that served a request, and what its
// wildcards stand for, each under the name of what it is one of: stores/{id} is a store.
// What is to be done, where a wildcard says it, is part of the pattern.
func subjectOf(r *http.Request) (route string, subject []zap.Field) {
	route, before := r.Pattern, ""
	for segment := range strings.SplitSeq(r.Pattern, "/") {
		if name, isWildcard := strings.CutPrefix(segment, "{"); isWildcard {
			name = strings.TrimSuffix(name, "}")
			switch value := cutText(r.PathValue(name)); name {
			case "$":
			case "order":
				route = strings.Replace(route, segment, value, 1)
			default:
				subject = append(subject, zap.String(strings.TrimSuffix(before, "s"), value))
			}
		}
		before = segment
	}
	return route, subject
}

// cutText shortens what a client wrote.
func cutText(s string) string {
	const most = 128
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// note notes for the log that somebody entitled made a request, if it is a command.
// inDashboard tells that the Dashboard asks for the token itself.
func (s *Server) note(r *http.Request, inDashboard bool) {
	a, isCommand := r.Context().Value(auditKey{}).(*audit)
	if !isCommand {
		return
	}
	if inDashboard {
		a.through = "dashboard"
	}
	switch {
	case s.o.Token == "":
		a.by = "loopback"
	case !inDashboard:
		a.by = "token"
	default:
		if d, knows := s.o.Dashboard.(doorkeeper); knows && d.IsLoggedIn(r) {
			a.by = "session"
		}
	}
}

// isCommand tells whether a request may change something, or takes a backup away.
func isCommand(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet:
		return r.URL.Path == backupPath
	case http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// An answered remembers the status of an answer; 0: there was none.
type answered struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answered) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answered) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
