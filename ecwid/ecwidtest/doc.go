// Package ecwidtest is a fake Ecwid server: shops whose orders live, the REST API
// v3 and the legacy Order API that list them, and the lags and faults of the real
// thing. It serves tests, simulations inside a testing/synctest bubble, and
// demonstrations.
//
// A Server is an [http.Handler]; [Server.Transport] reaches it without a listener.
// A Shop is changed by its methods (Place, Pay, Edit, Delete ...) and remembers
// every state that each of its orders ever had, so that a test can hold what a
// program has seen against the truth: [Shop.Orders], [Shop.History],
// [Shop.Deleted], [Shop.Knew].
//
// By default the server is well-behaved: a list shows every change at once. What
// the real one does now and then, or what its documentation leaves open, is
// switched on with [Shop.SetBehaviour], [Server.Fault], [Server.SetFaultRate],
// [Server.BeforeResponse] and [Shop.SetRefusal]. What happens follows from
// Options.Seed and the sequence of calls and requests, so that a run can be
// repeated.
//
// What the real server ignores (unknown parameters) is ignored here too, and kept
// with the recorded requests. What the real server honours and this one does not
// implement is answered with status 501, so that no test rests on it.
//
// Methods that change an order panic when they are asked for the impossible, such
// as an order that does not exist: that is a mistake in the test.
package ecwidtest
