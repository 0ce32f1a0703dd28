package poller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// A sluice stands between a sweep and its source: each page of a window goes through
// it.
type sluice struct {
	Source
	page func(ctx context.Context, q event.Query) (event.Page, error)
	open atomic.Int32    // calls under way
	seen map[string]bool // ids
}

func (s *sluice) Orders(ctx context.Context, q event.Query) (event.Page, error) {
	if !q.UpdatedFrom.IsZero() || q.Limit > 0 {
		return s.Source.Orders(ctx, q)
	}
	s.open.Add(1)
	defer s.open.Add(-1)
	page, err := s.page(ctx, q)
	for _, o := range page.Objects {
		s.seen[o.ID] = true
	}
	return page, err
}

// newSweepBed is a bed with old orders in pages of three, whose sweep reads through a
// sluice.
func newSweepBed(t *testing.T, orders int) (*bed, *sluice) {
	t.Helper()
	s := &sluice{seen: map[string]bool{}}
	b := newBed(t, pagesOf(3), func(b *bed) {
		s.Source, s.page = b.store.Source, b.store.Source.Orders
		b.store.Source = s
	})
	b.shop.FillBetween(orders, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
	return b, s
}

// known counts the orders that are known of those.
func (b *bed) known(ids map[string]bool) (n int) {
	b.Helper()
	for id := range ids {
		if b.snapshot(id).Version > 0 {
			n++
		}
	}
	return n
}

// checkSweep checks at each commit that what the sweep is said to have read is known.
// It returns the steps that the sweep takes.
func (b *bed) checkSweep() map[time.Time]bool {
	steps := map[time.Time]bool{}
	b.storage.lose = func() error {
		sweep := b.storage.sets[len(b.storage.sets)-1].Cursor.Sweep
		if sweep.Through.IsZero() || steps[sweep.Through] {
			return nil
		}
		steps[sweep.Through] = true
		for _, id := range b.shop.IDs() {
			if b.shop.History(id)[0].Created.Before(sweep.Through) && b.snapshot(id).Version == 0 {
				b.Errorf("order %s is not known, and the sweep went through to %s", id, sweep.Through)
			}
		}
		return nil
	}
	return steps
}

func TestSweepCommitsBatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		orders, bytes int
		options       []bedOption
		most          int    // orders in a commit
		commits       [2]int // with orders: at least, at most
	}{
		"of many orders": {1300, largestBatch, nil, batchOrders + 100, [2]int{4, 5}},
		"of many bytes":  {30, 40_000, []bedOption{pagesOf(3)}, 15, [2]int{3, 7}},
		"of a page":      {30, 1, []bedOption{pagesOf(3)}, 3, [2]int{12, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t, c.options...)
				b.shop.FillBetween(c.orders, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
				b.poller.trackers[0].batchBytes = c.bytes
				b.poller.trackers[0].maxWindow = c.orders/3 + 1
				steps := b.checkSweep()
				b.expect()
				if n := len(steps); n < 2 {
					t.Errorf("the sweep came to its end in %d steps", n)
				}
				commits, known := 0, 0
				for _, set := range b.storage.sets {
					if n := len(set.Snapshots); n > 0 {
						commits, known = commits+1, known+n
					}
					if len(set.Snapshots) > c.most {
						t.Errorf("a commit holds %d orders", len(set.Snapshots))
					}
				}
				if commits < c.commits[0] || commits > c.commits[1] || known != c.orders {
					t.Errorf("%d orders in %d commits, want %d in %v", known, commits, c.orders, c.commits)
				}
			})
		})
	}
}

func TestBatchesOfManyStoresAreSmall(t *testing.T) {
	t.Parallel()
	for stores, want := range map[int]int{0: 4 << 20, 1: 4 << 20, 8: 4 << 20, 32: 1 << 20, 10_000: 3355} {
		if got := batchBytes(stores); got != want {
			t.Errorf("%d stores: %d bytes, want %d", stores, got, want)
		}
	}
}

// Whatever ends the reading, what was read before is taken in, and the next poll
// goes on from there.
func TestSweepTakesInWhatWasReadBeforeAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is down")
	for name, c := range map[string]struct {
		spoil func(q event.Query, p event.Page) (event.Page, error) // from the fourth page on
		want  error
	}{
		"a page that fails": {func(event.Query, event.Page) (event.Page, error) { return event.Page{}, broken }, broken},
		"a refusal":         {func(event.Query, event.Page) (event.Page, error) { return event.Page{}, event.ErrRefused }, event.ErrRefused},
		"a panic":           {func(event.Query, event.Page) (event.Page, error) { panic("a fault in the code") }, errPanic},
		"a list that slides": {func(q event.Query, p event.Page) (event.Page, error) {
			if q.Offset > 0 { // without the row that it shares with the page before
				p.Objects, p.Count = p.Objects[1:], p.Count-1
			}
			return p, nil
		}, errNotWhole},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, source := newSweepBed(t, 30)
				pages := 0
				source.page = func(ctx context.Context, q event.Query) (event.Page, error) {
					page, err := source.Source.Orders(ctx, q)
					if pages++; pages < 4 || err != nil {
						return page, err
					}
					return c.spoil(q, page)
				}
				if _, err := b.tryPoll(); !errors.Is(err, c.want) {
					t.Errorf("the poll returns %v, want %v", err, c.want)
				}
				if n := b.known(source.seen); n < 7 || n != len(source.seen) {
					t.Errorf("%d of %d orders that were read are known", n, len(source.seen))
				}
				source.page = source.Source.Orders
				b.wait()
				b.expect()
				if n := b.known(source.seen); n != 30 || !b.cursor().Sweep.Done {
					t.Errorf("%d orders are known at the end, and the sweep is at %+v", n, b.cursor().Sweep)
				}
			})
		})
	}
}

// When a batch cannot be committed, or judged, nothing goes on being read; the error
// is that of the batch; and what was read ahead is read again, though the windows
// that it was in have been left.
func TestSweepStopsReadingWhenABatchFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(b *bed) error{
		"in its commit": func(b *bed) error {
			b.storage.refuse = func(set *event.ChangeSet) error {
				if len(set.Snapshots) > 0 {
					return syscall.ENOSPC
				}
				return nil
			}
			return syscall.ENOSPC
		},
		"before its commit": func(b *bed) error {
			b.poller.trackers[0].storage = forgetful{b.storage}
			return errForgotten
		},
		"by a panic": func(b *bed) error {
			b.storage.refuse = func(set *event.ChangeSet) error {
				if len(set.Snapshots) > 0 {
					panic("a fault in the code")
				}
				return nil
			}
			return errPanic
		},
	} {
		for _, stuck := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, with a page that hangs %v", name, stuck), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b, source := newSweepBed(t, 30)
					smallWindows(b)
					source.page = func(ctx context.Context, q event.Query) (event.Page, error) {
						if stuck && q.Offset > 0 { // the page before it is a batch
							<-ctx.Done()
							return event.Page{}, ctx.Err()
						}
						return source.Source.Orders(ctx, q)
					}
					want := fail(b)
					if _, err := b.tryPoll(); !errors.Is(err, want) || errors.Is(err, context.Canceled) {
						t.Errorf("the poll returns %v, want %v", err, want)
					}
					if n := source.open.Load(); n > 0 {
						t.Errorf("%d pages are still being read", n)
					}
					source.page, b.storage.refuse = source.Source.Orders, nil
					b.poller.trackers[0].storage = b.storage
					b.wait()
					b.expect()
					if n := b.known(source.seen); n != 30 {
						t.Errorf("%d orders are known, want 30", n)
					}
				})
			})
		}
	}
}

// A sweep that is stopped goes on from what it has committed, and not from what it
// had read.
func TestSweepGoesOnAfterItWasStopped(t *testing.T) {
	t.Parallel()
	for pages := 8; pages < 20; pages++ {
		t.Run(fmt.Sprint("at page ", pages), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, source := newSweepBed(t, 30)
				b.poller.trackers[0].maxWindow = 4
				ctx, stop := context.WithCancel(t.Context())
				read := 0
				source.page = func(ctx context.Context, q event.Query) (event.Page, error) {
					if read++; read == pages {
						stop()
					}
					return source.Source.Orders(ctx, q)
				}
				if err := errors.Join(b.poller.Once(ctx, false)...); !errors.Is(err, context.Canceled) {
					t.Errorf("the poll returns %v", err)
				}
				b.wait()
				b.expect()
				if n := b.known(source.seen); n != 30 {
					t.Errorf("%d orders are known, want 30", n)
				}
			})
		})
	}
}

var errForgotten = errors.New("the storage cannot be read")

// forgetful is a storage that cannot be read.
type forgetful struct{ *journal }

func (forgetful) SnapshotsByID(context.Context, int64, string, []string) (map[string]event.Snapshot, error) {
	return nil, errForgotten
}

// A kill costs two batches at most: one that is read and one that is committed.
func TestSweepIsNeverFarAheadOfItsCommits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, source := newSweepBed(t, 60)
		b.poller.trackers[0].batchBytes = 20_000
		killed := errors.New("killed")
		b.storage.refuse = func(set *event.ChangeSet) error {
			if len(b.storage.sets) < 4 {
				return nil
			}
			time.Sleep(time.Hour) // the reading goes on as far as it may
			return killed
		}
		if _, err := b.tryPoll(); !errors.Is(err, killed) {
			t.Fatalf("the poll returns %v", err)
		}
		bytes := 0
		for id := range source.seen {
			if b.snapshot(id).Version == 0 {
				bytes += len(b.shop.Orders()[id])
			}
		}
		const page = 3 * 8_000
		if bytes <= 20_000 || bytes > 2*(20_000+page) {
			t.Errorf("%d bytes were read that are not committed", bytes)
		}
		b.storage.refuse = nil
		b.restart()
		b.expect()
		if n := b.known(source.seen); n != 60 {
			t.Errorf("%d orders are known after a restart", n)
		}
	})
}

// An order that changes between two pages that share it is seen in two states, each
// of which counts.
func TestOrderThatChangesWithinABatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fresh bool
		place int // orders before the first page
		want  []string
	}{
		"and is old": {false, 0, []string{"updated ID /email"}},
		"and is new": {true, 3, []string{"created ID", "updated ID /email"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, source := newSweepBed(t, 20)
				b.poller.trackers[0].maxWindow = 8
				b.checkSweep()
				var shared string
				source.page = func(ctx context.Context, q event.Query) (event.Page, error) {
					for range c.place {
						time.Sleep(time.Second)
						b.shop.Place()
					}
					c.place = 0
					page, err := source.Source.Orders(ctx, q)
					if shared == "" && page.Total <= 8 && page.Next > 0 && (q.CreatedTo.IsZero() || !c.fresh) {
						shared = page.Objects[2].ID
						time.Sleep(time.Second)
						b.shop.Edit(shared, set("email", "between@example.com"))
					}
					return page, err
				}
				var told []string
				for _, line := range lines(b.poll()) {
					if strings.Contains(line, shared) {
						told = append(told, strings.Replace(line, shared, "ID", 1))
					}
				}
				if diff := cmp.Diff(c.want, told); diff != "" {
					t.Errorf("events of the order (-want +got):\n%s", diff)
				}
				b.wait()
				b.expect()
			})
		})
	}
}
