package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
)

// TestDashboardWhenStopping: a page that stays open to tell what happens ends at once,
// so that it does not hold up the stop. A command is carried out.
func TestDashboardWhenStopping(t *testing.T) {
	t.Parallel()
	for method, ends := range map[string]bool{http.MethodGet: true, http.MethodPost: false} {
		synctest.Test(t, func(t *testing.T) {
			ended, finish := make(chan struct{}), make(chan struct{})
			s, _ := newServer(t, &fake{}, func(o *Options) {
				o.Dashboard = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					defer close(ended)
					select {
					case <-r.Context().Done():
					case <-finish:
					}
				})
			})
			go s.ServeHTTP(httptest.NewRecorder(), newRequest(t, method, "/live", ""))
			synctest.Wait()
			s.stopWaiting()
			synctest.Wait()
			select {
			case <-ended:
				if !ends {
					t.Errorf("a %s was cut off when the server began to stop", method)
				}
			default:
				if ends {
					t.Errorf("a %s went on when the server began to stop", method)
				}
			}
			close(finish)
		})
	}
}
