//go:build !race

package poller

// raceDetector tells that every step costs several times as much.
const raceDetector = false
