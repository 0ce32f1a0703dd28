package notify

// Queues tells how many callbacks of a running Dispatcher are not idle.
func (d *Dispatcher) Queues() int {
	r := d.current.Load()
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queues)
}
