package ecwid

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

// A legacy order is gone only when no list shows it: neither among the unfinished
// ones nor, should its checkout have been completed meanwhile, among the others.
func TestLegacyOrderThatIsNotListed(t *testing.T) {
	t.Parallel()
	const finish, fail = "finish", "fail"
	for name, test := range map[string]struct {
		prepare func(s *ecwidtest.Shop, id string)
		// second is what happens at the second request.
		second     string
		asked      []string // statuses
		missing    bool
		unfinished bool
		fails      bool
	}{
		"it is listed":                              {asked: []string{""}},
		"it is unfinished":                          {prepare: unfinishOrder, asked: []string{"", "INCOMPLETE"}, unfinished: true},
		"it is finished at that time":               {prepare: unfinishOrder, second: finish, asked: []string{"", "INCOMPLETE", ""}},
		"it was deleted":                            {prepare: deleteOrder, asked: []string{"", "INCOMPLETE", ""}, missing: true},
		"it was deleted, and the second list fails": {prepare: deleteOrder, second: fail, asked: []string{"", "INCOMPLETE", "INCOMPLETE", "INCOMPLETE"}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				server := ecwidtest.NewServer(ecwidtest.Options{})
				shop := server.AddShop(ecwidtest.ShopOptions{ID: 1003, LegacySecret: testSecret, Old: true})
				id := shop.Place()
				if test.prepare != nil {
					test.prepare(shop, id)
				}
				var asked []string
				server.BeforeResponse(func(r *http.Request) {
					if asked = append(asked, r.URL.Query().Get("statuses")); len(asked) == 2 && test.second == finish {
						shop.Finish(id)
					}
				})
				c := newTestClient(t, Options{API: Legacy, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					response, err := server.Transport().RoundTrip(r)
					if test.second == fail && len(asked) > 1 && err == nil {
						response.Body.Close()
						return answerWith(500, ""), nil
					}
					return response, err
				})})
				got, err := c.Order(t.Context(), id)
				if diff := cmp.Diff(test.asked, asked); diff != "" {
					t.Errorf("statuses asked for (-want +got):\n%s", diff)
				}
				if errors.Is(err, event.ErrNotFound) != test.missing || (err != nil) != (test.missing || test.fails) {
					t.Fatalf("error %v", err)
				}
				if err == nil && (got.ID != id || got.Unfinished != test.unfinished || !strings.Contains(string(got.Raw), "paymentStatus")) {
					t.Errorf("got %s, unfinished %t", got.Raw, got.Unfinished)
				}
			})
		})
	}
}

func deleteOrder(s *ecwidtest.Shop, id string) { s.Delete(id) }

func unfinishOrder(s *ecwidtest.Shop, id string) {
	s.Edit(id, func(order map[string]any) { order["paymentStatus"] = "INCOMPLETE" })
}
