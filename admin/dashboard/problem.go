package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A problem is an error that a page tells.
type problem struct {
	status int
	Title  string
	Detail string // what to do
}

func (p *problem) Error() string { return p.Detail }

func invalid(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "That cannot be done", fmt.Sprintf(format, args...)}
}

func notFound(detail string) *problem {
	return &problem{http.StatusNotFound, "Not found", detail}
}

var (
	errNoStore   = notFound("There is no such store. The page of all stores lists those that there are.")
	errNoEvent   = notFound("There is no event with that id. An event is removed some time after its delivery, as storage.keep_delivered says.")
	errNoPage    = notFound("There is no such page. The links above lead to those that there are.")
	errMethod    = &problem{http.StatusMethodNotAllowed, "That cannot be done", "This address does not take that method. Use the links and buttons of the pages."}
	errMediaType = &problem{http.StatusUnsupportedMediaType, "That cannot be done", "Send a form: application/x-www-form-urlencoded. Programs use the admin API, under /api/v1."}
	errTooLarge  = &problem{http.StatusRequestEntityTooLarge, "The form is too large", "A form may have 64 KiB: select fewer."}
	errTimeout   = &problem{http.StatusGatewayTimeout, "It took too long", "Try again, or ask for less at once. What was done until then stays done."}
	errStopping  = &problem{http.StatusServiceUnavailable, "The program is stopping", "Try again when it has been started again."}
	errInternal  = &problem{http.StatusInternalServerError, "It failed", "See the log of the program."}
)

// problemOf says what went wrong in words for a person. What only the log may tell
// becomes errInternal.
func problemOf(ctx context.Context, err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, event.ErrNotFound):
		return notFound(detailOf(err, event.ErrNotFound))
	case errors.Is(err, control.ErrInvalid):
		return invalid("%s", detailOf(err, control.ErrInvalid))
	case errors.Is(err, control.ErrConflict):
		return &problem{http.StatusConflict, "Not possible now", detailOf(err, control.ErrConflict)}
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return errStopping // or nobody is there to read it
	default:
		return errInternal
	}
}

// detailOf is what an error says beyond its kind, which the title of the page tells.
func detailOf(err, kind error) string {
	return title(strings.TrimPrefix(err.Error(), kind.Error()+": ")) + "."
}

// refuse answers with a page that tells the error. An error that the page does not tell
// is logged.
func (d *dashboard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Context(), err)
	if p == errInternal {
		d.log.Error("dashboard.failed", zap.String("method", r.Method), zap.String("route", r.Pattern), zap.Error(err))
	}
	d.render(w, r, p.status, page{name: "problem", Title: p.Title, Main: p})
}
