package dashboard

import (
	"fmt"
	"strings"

	"github.com/ecwid-events/ecwid-events/control"
)

// A trouble is what needs attention, for a person on the page: why it matters, what to
// do about it, and the buttons and links that do it.
type trouble struct {
	control.Attention
	Why     string
	Advice  string
	Command string // does the same on the command line; empty: there is none
	Actions []action
}

// An action is a button that gives an order, or a link.
type action struct {
	Label, Address string
	IsOrder        bool
}

func order(label, address string) action { return action{label, address, true} }

func link(label, address string) action { return action{label, address, false} }

// troublesOf makes troubles of what the service lists.
func troublesOf(list []control.Attention, stores []shownStore, callbacks []shownCallback) []trouble {
	byID, byName := make(map[int64]*shownStore), make(map[string]*shownCallback)
	for i := range stores {
		byID[stores[i].ID] = &stores[i]
	}
	for i := range callbacks {
		byName[callbacks[i].Name] = &callbacks[i]
	}
	troubles := make([]trouble, 0, len(list))
	for _, a := range list {
		t := trouble{Attention: a}
		words, command := splitHelp(a.Do)
		t.Command = command
		switch {
		case a.StoreID != 0:
			t.aboutStore(byID[a.StoreID])
		case len(a.StoreIDs) > 0:
			t.aboutStores(byID)
		case a.Callback != "":
			t.aboutCallback(byName[a.Callback])
		case len(a.Callbacks) > 0:
			t.Actions = []action{link("Show the callbacks", "/callbacks?state="+inTrouble)}
		}
		t.Advice = advice(words, command, t.Actions)
		troubles = append(troubles, t)
	}
	return troubles
}

// splitHelp takes apart what the service says to do: in words, and on the command line.
func splitHelp(do string) (words, command string) {
	const program = "ecwid-events "
	i := strings.Index(do, program)
	if i < 0 {
		return do, ""
	}
	words = strings.TrimRight(do[:i], " :")
	words = strings.TrimSuffix(strings.TrimSuffix(words, "then"), "see")
	return strings.TrimRight(words, " ,;"), do[i:]
}

// advice says what to do in the words of the service, and instead of a command which
// button to press.
func advice(words, command string, actions []action) string {
	press := ""
	if command != "" && len(actions) > 0 && actions[0].IsOrder {
		press = "press “" + actions[0].Label + "”"
	}
	switch {
	case words != "" && press != "":
		words += ", then " + press
	case words == "":
		words = press
	}
	if words == "" {
		return ""
	}
	return title(words) + "."
}

func (t *trouble) aboutStore(s *shownStore) {
	if s == nil {
		if strings.Contains(t.Command, "resume") {
			t.Actions = []action{order(fmt.Sprintf("End the pause of store %d", t.StoreID), fmt.Sprintf("/stores/%d/resume", t.StoreID))}
		}
		return
	}
	t.Why = unseen(s.State.Word)
	to := func(label, what string) action {
		return order(fmt.Sprintf(label, s.ID), fmt.Sprintf("/stores/%d/%s", s.ID, what))
	}
	switch s.State.Word {
	case "suspended":
		t.Actions = append(t.Actions, to("Try store %d again", "resume"))
	case "paused":
		t.Actions = append(t.Actions, to("Resume store %d", "resume"))
	default:
		t.Actions = append(t.Actions, to("Poll store %d now", "poll"))
	}
	t.Actions = append(t.Actions, link(fmt.Sprintf("Show store %d", s.ID), fmt.Sprintf("/stores/%d", s.ID)))
}

// unseen says what comes of a store that is in a state.
func unseen(word string) string {
	switch word {
	case "suspended":
		return "What changes there is not seen while Ecwid refuses it."
	case "paused":
		return "What changes there is not seen until it is resumed."
	default:
		return "What has changed there since the last good poll is seen at the next good one."
	}
}

// aboutStores leads to a list of them, if there is one of no others.
func (t *trouble) aboutStores(byID map[int64]*shownStore) {
	word := ""
	for i, id := range t.StoreIDs {
		s := byID[id]
		if s == nil || i > 0 && s.State.Word != word {
			word = inTrouble
			break
		}
		word = s.State.Word
	}
	if word != inTrouble {
		t.Why = unseen(word)
	}
	t.Actions = []action{link("Show the stores", "/stores?state="+word)}
}

func (t *trouble) aboutCallback(c *shownCallback) {
	if c == nil {
		return
	}
	t.Why = c.Meanwhile()
	page := "/callbacks/" + c.Name
	show := link("Show "+c.Name, page)
	switch {
	case c.Orphaned && c.Pending+c.Dead > 0:
		t.Actions = []action{link("Move or drop its deliveries", page)}
	case c.Orphaned:
		t.Actions = []action{order("End the pause of "+c.Name, page+"/resume")}
	case strings.Contains(t.Command, "replay --dead"):
		t.Why = c.Name + " never got them: they were tried many times, and given up. They can be sent again."
		t.Actions = []action{link("Dead deliveries of "+c.Name, "/deliveries?callback="+c.Name+"&state=dead"), link("Replay them…", page+"/replay")}
	case c.Paused != "":
		t.Actions = []action{order("Resume "+c.Name, page+"/resume"), show}
	case strings.Contains(t.Command, "--state pending"):
		t.Actions = []action{link("Pending deliveries of "+c.Name, "/deliveries?callback="+c.Name+"&state=pending"), show}
	default:
		t.Actions = []action{order("Test "+c.Name, page+"/test"), show}
	}
}
