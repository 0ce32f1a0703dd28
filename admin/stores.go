package admin

import (
	"context"
	"slices"

	"github.com/ecwid-events/ecwid-events/control"
)

type storeList struct {
	Stores []control.Store `json:"stores"`
}

func (s *Server) stores(ctx context.Context, _ *input) (any, error) {
	stores, err := s.o.Service.Stores(ctx)
	if err != nil {
		return nil, err
	}
	stores = array(slices.Clone(stores))
	for i := range stores {
		stores[i] = withArrays(stores[i])
	}
	return storeList{stores}, nil
}

func (s *Server) store(ctx context.Context, in *input) (any, error) {
	id := in.storeID("id")
	if err := in.err(); err != nil {
		return nil, err
	}
	st, err := s.o.Service.Store(ctx, id)
	return withArrays(st), err
}

func withArrays(s control.Store) control.Store {
	s.Tags, s.Callbacks = array(s.Tags), array(s.Callbacks)
	return s
}

// storeCommand passes on what is to be done with a store.
func storeCommand(command func(context.Context, int64) error, done status) func(context.Context, *input) (any, error) {
	return func(ctx context.Context, in *input) (any, error) {
		id := in.storeID("id")
		if err := in.err(); err != nil {
			return nil, err
		}
		return done, command(ctx, id)
	}
}
