package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
)

const backupPath = "/api/v1/storage/backup"

const (
	// backupWithin is how long a copy of the storage may take, and pieceWithin how long
	// a client may take to receive a piece of it, some 32 KiB. One that reads no more
	// would keep the storage from using room again.
	backupWithin = time.Hour
	pieceWithin  = 10 * time.Second
)

// backup sends a copy of the storage. One that breaks off has fewer bytes than its
// Content-Length says, and the connection ends.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	if _, err := readInput(w, r, route{}); err != nil {
		s.refuse(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), backupWithin)
	defer cancel()
	out := pieces{w: w, control: http.NewResponseController(w), headOnly: r.Method == http.MethodHead}
	err := s.o.Service.Backup(ctx, out.begin)
	switch {
	case err == nil || errors.Is(err, errHeadOnly):
	case !out.begun:
		s.refuse(w, r, err)
	default:
		s.log.Warn("admin.backup_broken", zap.Error(err))
		panic(http.ErrAbortHandler) // what was sent must not look whole
	}
}

// errHeadOnly ends a copy of which only the size was asked for.
var errHeadOnly = errors.New("only the header was asked for")

// pieces are an answer that is sent piece by piece.
type pieces struct {
	w               http.ResponseWriter
	control         *http.ResponseController
	headOnly, begun bool
}

func (p *pieces) begin(size int64) io.Writer {
	p.begun = true
	h := p.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	return p
}

func (p *pieces) Write(piece []byte) (int, error) {
	if p.headOnly {
		return 0, errHeadOnly
	}
	// What is no connection, as in a test, has no deadline to set.
	_ = p.control.SetWriteDeadline(time.Now().Add(pieceWithin))
	return p.w.Write(piece)
}

// forget erases an order.
func (s *Server) forget(ctx context.Context, in *input) (any, error) {
	storeID, object := in.storeID("id"), in.text("object")
	if err := in.err(); err != nil {
		return nil, err
	}
	return s.o.Service.Forget(ctx, storeID, object)
}
